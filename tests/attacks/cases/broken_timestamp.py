"""Tries: a timestamp.txt that is no date, which ends nbgrader's run. Must: be graded."""

KIND = "Files in the submission"
FILES = {"timestamp.txt": "99999-99-99 soon\x1b[31m\n" * 1000}
