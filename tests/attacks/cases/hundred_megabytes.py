"""Tries: a notebook of 100 MB. Must: earn nothing, be told, and cost the grader no such memory."""

KIND = "Damaged files"
SAYS = "could not be read|was not read"


def raw(content):
    return content.replace(b'"metadata"', b'"padding": "' + b"x" * (100 << 20) + b'", "metadata"', 1)
