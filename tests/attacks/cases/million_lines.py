"""Tries: a cell whose source is a list of a million pieces, and one that is a number. Must: earn nothing."""

KIND = "Damaged files"


def raw(content):
    import json

    notebook = json.loads(content)
    notebook["cells"][1]["source"] = ["# \n"] * 10**6
    notebook["cells"][3]["source"] = 7
    return json.dumps(notebook).encode()
