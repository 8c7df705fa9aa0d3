"""Tries: saved widget state that ends the script it is put into. Must: be dropped."""

KIND = "Script in pages"


def tamper(notebook):
    evil = "</script><script>alert(1)</script>"
    state = {
        "version_major": 2,
        "version_minor": 0,
        "state": {evil: {"model_name": "HTMLModel", "state": {"value": evil}}},
    }
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": state}
    notebook.metadata.title = notebook.metadata.authors = evil
    notebook.metadata.toc = notebook.metadata.celltoolbar = evil
