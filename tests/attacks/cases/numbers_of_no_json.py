"""Tries: NaN, infinity and 1e999999 in the metadata of a solved notebook. Must: keep what was solved."""

KIND = "Damaged files"
HONEST = True


def raw(content):
    return content.replace(b'"metadata"', b'"odd": [NaN, -Infinity, 1e999999, -0.0], "metadata"', 1)
