"""Tries: a folder of data that is a link to another student's work. Must: read nothing of it."""

KIND = "Files in the submission"
SETUP = """
import os
for place, _, names in os.walk("."):
    print(sorted(names))
print("walked")
"""
SHOWS = "walked"
SAYS = "is a link"


def files(folder):
    (folder / "data").symlink_to(folder.parents[1] / "rival" / folder.name)
    (folder / "course").symlink_to(folder.parents[2])
