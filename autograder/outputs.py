"""TRUSTED side: rebuild the outputs of a student's cells, for pages that instructors open.

Nothing is taken over as it came: each output is made anew of known fields, pictures must be pictures, and HTML keeps
only the tags of text and tables, without attributes, so that no script, style, link or form of a student's is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict

from autograder.harmless import harmless_html

MAX_OUTPUTS, MAX_TEXT, MAX_PICTURE, MAX_HTML = 500, 100_000, 5_000_000, 500_000  # a cell's, in characters
MAX_PAGE = 12_000_000  # all cells' of a notebook: nobody can open a page that is much larger
LEFT_OUT = "({:,} characters are left out here)"
BASE64 = re.compile(r"[A-Za-z0-9+/\s]*+={0,2}\s*", re.ASCII)  # *+: without it a megabyte of spaces took hours
PICTURES = {"image/png": "iVBOR", "image/jpeg": "/9j/"}  # how each begins in base64
# All but tab, line ends, and an escape that begins a colour: others move a terminal's cursor or set its title.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\\[[0-9;]{0,40}m)")


def new_output(output_type: str, **fields: Any) -> NotebookNode:
    """As nbformat's, which checks each against the schema; the whole notebook is checked once, at the end."""
    if output_type in ("display_data", "execute_result"):
        fields["metadata"] = {}
    if output_type == "execute_result":
        fields["execution_count"] = None
    return from_dict({"output_type": output_type, **fields})


class Page:
    """The outputs of one notebook, each made safe; what would make it too large for a browser is left out."""

    def __init__(self) -> None:
        self.left = MAX_PAGE

    def admit(self, outputs: Any) -> list[NotebookNode]:
        """The outputs of the next cell; what has no known form is left out."""
        if not isinstance(outputs, list):
            return []
        room = _Room()
        made = (_made(o, room) for o in outputs[:MAX_OUTPUTS] if isinstance(o, dict))
        return [self._fitted(output) for output in made if output is not None]

    def _fitted(self, output: NotebookNode) -> NotebookNode:
        size = _size(output)
        if size > self.left:
            return new_output(
                "stream", name="stdout", text=f"{LEFT_OUT.format(size)}: this notebook shows too much in all\n"
            )
        self.left -= size
        return output


def _size(value: Any) -> int:
    """Characters in all texts of an output."""
    if isinstance(value, dict | list):
        return sum(map(_size, value.values() if isinstance(value, dict) else value))
    return len(value) if isinstance(value, str) else 0


@dataclass
class _Room:
    """What is left of what one cell may show: making a megabyte of HTML harmless takes a second of our time."""

    html: int = MAX_HTML


def _made(output: dict[str, Any], room: _Room) -> NotebookNode | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return new_output("stream", name=name, text=_text(output.get("text")))
    if kind == "error":
        lines = output.get("traceback")
        traceback = _text("\n".join(x for x in lines if isinstance(x, str)) if isinstance(lines, list) else "")
        name, value = _text(output.get("ename"))[:200], _text(output.get("evalue"))
        return new_output("error", ename=name, evalue=value, traceback=traceback.split("\n"))
    if kind in ("display_data", "execute_result"):
        data = output.get("data")
        bundle = _bundle(data, room) if isinstance(data, dict) else {}
        return new_output(kind, data=bundle) if bundle else None
    return None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return printable(text[:MAX_TEXT]) + _left_out(len(text) - MAX_TEXT)


def printable(text: str) -> str:
    """A text that can be written to a file and shown: no control characters, no half of a surrogate pair."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).encode("utf-8", "replace").decode()


def _left_out(count: int) -> str:
    return f"\n... {LEFT_OUT.format(count)}\n" if count > 0 else ""


def _bundle(data: dict[str, Any], room: _Room) -> dict[str, str]:
    """The forms of one display that are safe to show."""
    kept = {"text/plain": _text(data["text/plain"])} if isinstance(data.get("text/plain"), str) else {}
    for kind, beginning in PICTURES.items():
        picture = data.get(kind)
        if isinstance(picture, str) and picture.startswith(beginning) and BASE64.fullmatch(picture):
            kept |= {kind: picture} if len(picture) <= MAX_PICTURE else {"text/plain": LEFT_OUT.format(len(picture))}
    html = data.get("text/html")
    if isinstance(html, str):
        if len(html) <= room.html:
            room.html -= len(html)
            kept["text/html"] = harmless_html(printable(html))
        else:
            kept.setdefault("text/plain", LEFT_OUT.format(len(html)))
    return kept
