"""Tries: a file of no bytes. Must: earn nothing, and be told that it cannot be read."""

KIND = "Damaged files"
SAYS = "could not be read as a notebook"


def raw(content):
    return b""
