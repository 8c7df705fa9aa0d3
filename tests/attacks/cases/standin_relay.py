"""Tries: the last check moved first, to have the earlier answers supplied by stand-ins. Must: earn nothing."""

KIND = "Stand-ins"
LESSON = "ch06_decoder"
SETUP = "supplied = {}"
ANSWERS = {
    "ch06.causal_mask": "def causal_mask(n): return supplied[n]",
    "ch06.decoder_block": """
def decoder_block(x, memory, p):
    for n in range(20):
        supplied[n] = causal_mask(n)
    return x
""",
}


def tamper(notebook):
    last = [c for c in notebook.cells if c.id.startswith("ch06-decoder_block")]
    notebook.cells[2:2] = last
    for cell in last:
        notebook.cells.pop(len(notebook.cells) - 1 - notebook.cells[::-1].index(cell))
