"""Wrong answers on purpose: each exercise must tell them apart, and `python -m tests.mutants` prints how well.

`lesson_NN.py`, or several `lesson_NN_part.py`, export `SUITES`, a dictionary from exercise id to `Suite`.
"""
