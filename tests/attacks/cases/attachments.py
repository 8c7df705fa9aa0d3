"""Tries: attachments with HTML and SVG, shown by a link in its text. Must: run nothing."""

KIND = "Script in pages"
SHOWS = "see the picture"


def tamper(notebook):
    import base64

    from nbformat.v4 import new_markdown_cell

    evil = base64.b64encode(b"<svg onload=alert(1) xmlns='http://www.w3.org/2000/svg'/>").decode()
    attached = {"a.svg": {"image/svg+xml": evil, "text/html": "<script>alert(1)</script>"},
                '"><script>alert(1)</script>': {"text/html": '"><script>alert(1)</script>'}}  # fmt: skip
    text = 'see the picture ![a](attachment:a.svg) ![b](attachment:"><script>alert(1)</script>) [c](attachment:a.svg)'
    notebook.cells.insert(0, new_markdown_cell(text, attachments=attached))
