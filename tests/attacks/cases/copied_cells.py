"""Tries: forty thousand copies of one graded cell. Must: earn nothing, and get a page of a size that opens."""

KIND = "Damaged files"


def raw(content):
    import json

    notebook = json.loads(content)
    notebook["cells"] += [notebook["cells"][-1]] * 40_000
    return json.dumps(notebook).encode()
