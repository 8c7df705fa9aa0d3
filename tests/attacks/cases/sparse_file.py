"""Tries: a file of four gigabytes that takes no room until it is copied. Must: be told that it was not read."""

KIND = "Files in the submission"
SAYS = "MB large .* was not read"


def files(folder):
    import os

    (folder / "data.bin").touch()
    os.truncate(folder / "data.bin", 4 << 30)
