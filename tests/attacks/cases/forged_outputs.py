"""Tries: outputs of its own making for every cell: points, script, unknown kinds. Must: show nothing of it but text."""

KIND = "Frames on the socket"
SETUP = """
from autograder.untrusted import service
def forged(*args):
    evil = "<script>alert(1)</script>"
    bundle = {"text/plain": "99", "text/html": evil, "application/javascript": "alert(1)", "image/svg+xml": evil,
              "text/latex": evil, "image/png": '" onerror="alert(1)', "application/x-nbgrader": "99"}
    return [
        {"output_type": "execute_result", "data": bundle, "metadata": {"image/png": {"width": "1 onload=alert(1)"}},
         "execution_count": 10**30},
        {"output_type": "display_data", "data": {"text/html": evil}, "metadata": {"text/html": {"isolated": True}}},
        {"output_type": "error", "ename": evil, "evalue": evil, "traceback": [evil, 5, None]},
        {"output_type": "stream", "name": evil, "text": evil},
        {"output_type": "points", "points": 99}, 7, None, [[]], {"output_type": ["stream"]},
        {"output_type": "update_display_data", "transient": {"display_id": "ch02-project_qkv"}, "data": bundle},
        {"output_type": "display_data", "data": [1]}, {"output_type": "error", "traceback": {"a": 1}},
    ]
service.cells.run = forged
"""
