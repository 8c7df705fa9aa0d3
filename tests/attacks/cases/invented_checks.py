"""Tries: graded cells of its own, with 100 points each and a directive. Must: earn the real point only."""

KIND = "Notebook metadata and cells"
ANSWERS = {"ch02.why_scale": 'why_scale = "b"'}
EARNS = {"ch02.why_scale": 1}


def tamper(notebook):
    from nbformat.v4 import new_code_cell

    mark = {"schema_version": 3, "grade": True, "locked": True, "solution": False, "task": False, "points": 100}
    names = ["bonus", "ch02-why_scale2", "../ch02-why_scale", '"><script>alert(1)</script>', "x" * 10**6, "", "\u202e"]
    for i, name in enumerate(names):
        cell = new_code_cell('graded("ch02.why_scale")\n100', metadata={"nbgrader": {**mark, "grade_id": name}})
        notebook.cells.insert(i, cell)
