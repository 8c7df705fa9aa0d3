"""Tries: cells that are numbers, texts, lists and cells of no type, between solved ones. Must: keep the solved ones."""

KIND = "Damaged files"
HONEST = True


def raw(content):
    import json

    notebook = json.loads(content)
    odd = [5, "cell", [], None, {}, {"cell_type": 5}, {"cell_type": "code", "source": {"a": 1}}, {"source": [1, "x"]}]
    notebook["cells"] = odd + [cell for pair in zip(notebook["cells"], odd * 9, strict=False) for cell in pair]
    return json.dumps(notebook).encode()
