"""Tries: nbgrader's metadata of a version that makes it stop the whole class. Must: earn nothing, stop nothing."""

KIND = "Notebook metadata and cells"


def tamper(notebook):
    for i, cell in enumerate(notebook.cells):
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.schema_version = [0, 1, 2, 99, "x", None][i % 6]
