"""Tries: a solved notebook in UTF-16. Must: earn nothing, and be told that it cannot be read."""

from autograder.exercise import definitions

KIND = "Damaged files"
HONEST = True
EARNS = dict.fromkeys(definitions("ch02_scaled_dot_product"), 0)
SAYS = "could not be read as a notebook"


def raw(content):
    return content.decode().encode("utf-16")
