"""Tries: the %%html, %%javascript, %%svg, %%latex and %%markdown magics. Must: run nothing."""

KIND = "Script in pages"


def tamper(notebook):
    from nbformat.v4 import new_code_cell

    for magic in ("html", "HTML", "javascript", "js", "svg", "SVG", "latex", "markdown"):
        text = f"%%{magic}\n<script>alert(1)</script><img src=x onerror=alert(1)>\n[x](javascript:alert(1))"
        notebook.cells.insert(0, new_code_cell(text))
