"""Tries: marks every graded cell as not graded. Must: earn nothing."""

KIND = "Notebook metadata and cells"


def tamper(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(grade=False, locked=False, solution=False)
