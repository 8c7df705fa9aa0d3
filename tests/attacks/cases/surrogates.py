"""Tries: halves of surrogate pairs in cells, names and outputs of a solved notebook. Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = "print('\\ud800', chr(0xdfff)); print('a' + chr(0) + 'b'); raise ValueError(chr(0xd800))"


def raw(content):
    import json

    notebook = json.loads(content)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]) + "\n# \ud800 \udfff \uffff"
    notebook["metadata"]["\ud800"] = "\ud800"
    return json.dumps(notebook).encode()
