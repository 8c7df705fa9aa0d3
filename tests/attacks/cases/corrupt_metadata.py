"""Tries: nbgrader metadata that is a text, a list, half there, or of wrong types. Must: earn nothing, stop nothing."""

KIND = "Notebook metadata and cells"
SAYS = "put back"


def raw(content):
    import json

    notebook = json.loads(content)
    odd = ["text", [1], {}, 5, {"grade_id": 7, "points": "many"}, {"grade_id": None}, {"grade_id": {}}, None, True]
    for i, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {"nbgrader": odd[i % len(odd)]} if i % 3 else odd[i % len(odd)]
    notebook["metadata"] = ["x"]
    return json.dumps(notebook).encode()
