"""Tries: JSON nested 200,000 deep in the metadata of a solved notebook. Must: earn nothing, and be told."""

from autograder.exercise import definitions

KIND = "Damaged files"
HONEST = True
EARNS = dict.fromkeys(definitions("ch02_scaled_dot_product"), 0)
SAYS = "could not be read as a notebook"


def raw(content):
    return content.replace(b'"metadata"', b'"deep": ' + b"[" * 200_000 + b"]" * 200_000 + b', "metadata"', 1)
