"""Tries: the history, In, _ih and its own names, for the text of the graded cells. Must: find none of it."""

KIND = "IPython"
look = """
shell = get_ipython()
seen = [str(x) for x in (In, _ih, Out, list(shell.user_ns), shell.history_manager.input_hist_raw, globals().keys())]
print("looked", sum(text.count("grad" + "ed(") for text in seen), "times the directive")
"""
SETUP = look
SHOWS = "looked 0 times"


def tamper(notebook):
    from nbformat.v4 import new_code_cell

    notebook.cells.append(new_code_cell(look, id="last"))


def afterwards(ran):
    text = " ".join(str(c.get("outputs")) for c in ran.graded.notebook.cells)
    return ["the directive was shown"] if "graded(" in text or text.count("looked 0 times") != 2 else []
