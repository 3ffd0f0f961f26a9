"""Grades submissions: a learner's code runs in a sandbox, and this process compares what it gives."""
