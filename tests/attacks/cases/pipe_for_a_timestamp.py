"""Tries: a named pipe in the place of nbgrader's timestamp.txt. Must: be graded, without waiting for it."""

KIND = "Files in the submission"


def files(folder):
    import os

    os.mkfifo(folder / "timestamp.txt")
