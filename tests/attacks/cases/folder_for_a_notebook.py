"""Tries: a folder of the notebook's name. Must: earn nothing, and be told."""

KIND = "Files in the submission"
SAYS = "was not read|could not be read"


def files(folder):
    notebook = folder / f"{folder.name}.ipynb"
    notebook.unlink()
    notebook.mkdir()
    (notebook / "inner.txt").write_text("x")
