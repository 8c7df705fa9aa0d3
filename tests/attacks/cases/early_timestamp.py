"""Tries: a timestamp of the year 1, and one too large for a calendar. Must: be graded."""

KIND = "Files in the submission"
HONEST = True
FILES = {"timestamp.txt": "0001-01-01 00:00:00 +1400"}
