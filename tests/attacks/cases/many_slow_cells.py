"""Tries: forty cells that each stay just below the limit of one. Must: end at the limit of the notebook, and say so."""

KIND = "Floods and bombs"
SHOWS = "The notebook took longer than 20 s in all"
SECONDS = 50.0


def tamper(notebook):
    from nbformat.v4 import new_code_cell

    for _ in range(40):
        notebook.cells.insert(1, new_code_cell("import time; time.sleep(2.7)"))
