"""Tries: hands in a link to another student's solved notebook. Must: earn nothing, and be told."""

KIND = "Files in the submission"
SAYS = "is a link"


def files(folder):
    notebook = folder / f"{folder.name}.ipynb"
    notebook.unlink()
    notebook.symlink_to(folder.parents[1] / "rival" / folder.name / notebook.name)
