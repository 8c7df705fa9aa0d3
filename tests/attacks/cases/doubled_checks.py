"""Tries: every graded cell twice, the first one emptied. Must: earn nothing, and be told that one counts."""

KIND = "Notebook metadata and cells"
SAYS = "more than once"


def tamper(notebook):
    from nbformat import from_dict

    for cell in [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]:
        notebook.cells.insert(0, from_dict({**cell, "id": cell.id + "-twin", "source": ""}))
