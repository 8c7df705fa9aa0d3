"""Tries: outputs saved in the file: full marks, script, a verdict's copy. Must: show and earn nothing of them."""

KIND = "Notebook metadata and cells"


def tamper(notebook):
    from nbformat.v4 import new_output

    html = "<section role='status'>saved in the file: passed</section><script>alert(1)</script>"
    saved = new_output("execute_result", {"text/plain": "5", "text/html": html}, execution_count=1)
    for cell in notebook.cells:
        cell.outputs = [saved]


def afterwards(ran):
    return ["a saved output was shown"] if "saved in the file" in ran.words else []
