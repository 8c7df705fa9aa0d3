"""Tries: tags and metadata that hide a cell's text and output from whoever reads. Must: be shown all the same."""

KIND = "Notebook metadata and cells"
SETUP = "print('seen ' + 'output')  # seen source"
SHOWS = "seen source.*seen output"


def tamper(notebook):
    for cell in notebook.cells:
        cell.metadata.update(
            tags=["hide_input", "remove_cell", "remove-output", "hide-cell", "remove-input"],
            hide_input=True, collapsed=True, jupyter={"source_hidden": True, "outputs_hidden": True},
            slideshow={"slide_type": "skip"}, deletable=True, editable=True, format="text/html",
        )  # fmt: skip
