"""Tries: a notebook of a million cells. Must: earn nothing, be told, and take no more than seconds."""

KIND = "Damaged files"
SAYS = "could not be read|too many|at most"


def raw(content):
    return b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[' + b",".join([b"{}"] * 10**6) + b"]}"
