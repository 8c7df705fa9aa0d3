"""Tries: a named pipe in the place of the notebook. Must: earn nothing, and be told."""

KIND = "Files in the submission"
SAYS = "is a pipe"


def files(folder):
    import os

    notebook = folder / f"{folder.name}.ipynb"
    notebook.unlink()
    os.mkfifo(notebook)
