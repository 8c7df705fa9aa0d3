"""Tries: answers above all else, in another order, in one cell of their own (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True


def tamper(notebook):
    answers = [c for c in notebook.cells if c.id.endswith("-code")]
    checks = [c for c in notebook.cells if not c.id.endswith("-code") and c.id != "setup"]
    answers[0].source = "\n\n".join(c.source for c in answers[::-1])
    notebook.cells = [notebook.cells[0], answers[0], *checks[::-1]]
