"""Tries: five thousand files. Must: be graded, and told what was not read."""

KIND = "Files in the submission"
SAYS = "was not read"


def files(folder):
    for i in range(5000):
        (folder / f"{i}.txt").write_text("x")
