"""Tries: marks every graded cell as a solution to be graded by hand. Must: earn nothing, and need no hand."""

KIND = "Notebook metadata and cells"


def tamper(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(solution=True, task=True, grade=True, locked=False)


def afterwards(ran):
    from nbgrader.api import Gradebook

    with Gradebook(ran.target.classroom.db_url) as gradebook:
        waits = gradebook.find_submission(ran.attack.lesson, ran.attack.name).needs_manual_grade
    return ["it waits for manual grading"] if waits else []
