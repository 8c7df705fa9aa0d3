"""Tries: cells of its own with input(), errors, magics, await, plots and widgets (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SHOWS = "Nobody is there to answer input.*hello from the shell"


def tamper(notebook):
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

    texts = ["name = input('your name? ')", "1 / 0", "%timeit -n 1 -r 1 sum(range(10))", "!echo hello from the shell",
             "import asyncio\nawait asyncio.sleep(0.01)",
             "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])",
             "import ipywidgets\nipywidgets.IntSlider()", "def (:", "?len", "%%bash\necho bash", "%nonsense", "exit",
             "import pdb; pdb.set_trace()", "breakpoint()", "raise SystemExit", "assert False, 'not yet'"]  # fmt: skip
    for i, text in enumerate(texts):
        notebook.cells.insert(2 * i + 1, new_code_cell(text))
    notebook.cells += [new_markdown_cell("my *notes* with $x^2$"), new_raw_cell("raw notes")]
