"""Tries: 100 points a cell, unlocked, their text replaced by pass, and 100 as their output. Must: earn nothing."""

KIND = "Notebook metadata and cells"
SAYS = "was changed; its own text was put back"


def tamper(notebook):
    from nbformat.v4 import new_output

    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader.update(points=100, max_score=100, locked=False)
            cell.source = "100"
            cell.outputs = [new_output("execute_result", {"text/plain": "100"}, execution_count=1)]
