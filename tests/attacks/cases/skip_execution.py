"""Tries: tags that have cells skipped, and errors expected (metadata only, no code). Must: earn nothing."""

KIND = "Notebook metadata and cells"


def tamper(notebook):
    for cell in notebook.cells:
        cell.metadata.tags = ["skip-execution", "raises-exception", "nbgrader-skip", "parameters"]
