"""Tries: a letter to the teacher, with markup and half a surrogate pair in it. Must: earn nothing, and be told."""

KIND = "Damaged files"
SAYS = "could not be read as a notebook"


def raw(content):
    return b"Dear teacher, <script>alert(1)</script> \xed\xa0\x80 I earn 10 points."
