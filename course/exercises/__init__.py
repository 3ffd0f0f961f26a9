"""The exercises of the course: `lesson_NN/` exports `EXERCISES`, and its checks are found by the id "NN-name"."""
