"""Tries: a megabyte of zeros. Must: earn nothing, and be told that it cannot be read."""

KIND = "Damaged files"
SAYS = "could not be read as a notebook"


def raw(content):
    return bytes(1 << 20)
