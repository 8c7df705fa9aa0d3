"""Tries: a named pipe among its data, which would have the grader wait for ever. Must: be told, and graded."""

KIND = "Files in the submission"
SAYS = "is a pipe"


def files(folder):
    import os

    os.mkfifo(folder / "data.csv")
