"""Tries: a million small displays, each replaced and cleared again. Must: be cut, and earn nothing."""

KIND = "Floods and bombs"
SETUP = """
from IPython.display import HTML, clear_output, display
import sys
for i in range(1_000_000):
    display(HTML(f"<p>{i}</p>"), display_id=f"d{i}")
    print(i)
    print(i, file=sys.stderr)
"""
