"""Tries: a number of a million digits, which takes hours to read. Must: earn nothing, and be told at once."""

from autograder.exercise import definitions

KIND = "Damaged files"
HONEST = True
EARNS = dict.fromkeys(definitions("ch02_scaled_dot_product"), 0)
SAYS = "could not be read as a notebook"


def raw(content):
    return content.replace(b'"metadata"', b'"odd": ' + b"7" * 10**6 + b', "metadata"', 1)
