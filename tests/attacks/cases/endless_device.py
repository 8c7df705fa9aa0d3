"""Tries: data that is a link to /dev/zero. Must: be told, and fill nobody's disk."""

KIND = "Files in the submission"
SAYS = "is a link"


def files(folder):
    (folder / "data.bin").symlink_to("/dev/zero")
    (folder / "timestamp.txt").symlink_to("/dev/zero")
