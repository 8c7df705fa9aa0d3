"""Tries: has every check name the one question it can answer. Must: earn that question's point, and no other."""

KIND = "Notebook metadata and cells"
ANSWERS = {"ch02.why_scale": 'why_scale = "b"'}
EARNS = {"ch02.why_scale": 1}


def tamper(notebook):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = (
                'check("ch02.why_scale")\n### BEGIN HIDDEN TESTS\ngraded("ch02.why_scale")\n### END HIDDEN TESTS'
            )
