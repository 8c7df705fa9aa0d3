"""Tries: deletes the graded cells. Must: earn nothing, and be told that they were put back."""

KIND = "Notebook metadata and cells"
SAYS = "put back"


def tamper(notebook):
    notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]
