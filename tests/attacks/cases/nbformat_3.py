"""Tries: a solved notebook of the format of 2013. Must: keep its points."""

KIND = "Honest but odd"
HONEST = True


def raw(content):
    import json

    import nbformat

    return json.dumps(nbformat.convert(nbformat.reads(content.decode(), as_version=4), 3)).encode()
