"""Tries: two hundred cells, each of which shows as much as it may. Must: cost the grader no such memory."""

KIND = "Floods and bombs"
SETUP = """
import base64
from IPython.display import HTML, display
picture = base64.b64encode(bytes.fromhex("89504e470d0a1a0a") + bytes(1_400_000)).decode()
def show():
    display({"image/png": picture}, raw=True)
    display(HTML("<p>" + "x" * 40_000))
    print("x" * 90_000)
"""
SECONDS = 60.0


def tamper(notebook):
    from nbformat.v4 import new_code_cell

    for _ in range(200):
        notebook.cells.insert(2, new_code_cell("show()"))
