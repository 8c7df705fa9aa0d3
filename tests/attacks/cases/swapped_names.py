"""Tries: the name of a 5-point check on the question it can answer, and back. Must: earn the question's one point."""

KIND = "Notebook metadata and cells"
SETUP = 'why_scale = "b"'
EARNS = {"ch02.why_scale": 1}


def tamper(notebook):
    pair = [c for c in notebook.cells if c.id in ("ch02-why_scale", "ch02-scaled_dot_product_attention")]
    pair[0].metadata, pair[1].metadata = pair[1].metadata, pair[0].metadata
    pair[0].id, pair[1].id = pair[1].id, pair[0].id
