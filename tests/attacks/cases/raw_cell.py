"""Tries: raw cells, which nbconvert puts into the page as they are. Must: be shown as text."""

KIND = "Script in pages"
SHOWS = "raw words"


def tamper(notebook):
    from nbformat.v4 import new_raw_cell

    text = "raw words <script>alert(1)</script><img src=x onerror=alert(1)>"
    for kind in ("text/html", "text/x-html", "", "text/restructuredtext"):
        notebook.cells.insert(0, new_raw_cell(text, metadata={"raw_mimetype": kind, "format": kind}))
