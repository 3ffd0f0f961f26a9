"""The exercises of the course: `lesson_NN.py` exports `EXERCISES`, and its checks are found by the id "NN-name"."""
