"""Tries: links to the gradebook, the instructor's files and secrets, as its data. Must: be told that none was read."""

KIND = "Files in the submission"
SETUP = """
import os
print({name: open(name, errors="replace").read() for name in sorted(os.listdir("."))})
"""
SAYS = "is a link"


def files(folder):
    course = folder.parents[2]
    (folder / "data.csv").symlink_to(course / "gradebook.db")
    (folder / "notes.txt").symlink_to(course / "instructor.txt")
    (folder / "shadow").symlink_to("/etc/shadow")
    (folder / "relative").symlink_to("../../../instructor.txt")
    (folder / "broken").symlink_to(course / "nothing")
    (folder / "loop").symlink_to("loop")
