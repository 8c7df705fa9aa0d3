"""Pieces of a formula for the `Formula` view: text, italics, numbers in the colour of their role."""

from __future__ import annotations

from typing import Any

from course.widgets.views import number_text

Segment = dict[str, Any]


def text(words: str, role: str = "plain") -> Segment:
    """Upright text."""
    return {"text": words, "role": role}


def italic(words: str) -> Segment:
    """A name in italics."""
    return {"text": words, "style": "italic"}


def bold(number: float, role: str = "plain") -> Segment:
    """A result."""
    return {"text": number_text(number), "style": "bold", "role": role}


def factor(number: float, role: str = "plain", trim: bool = False) -> Segment:
    """A number in a product; a negative one in brackets; with `trim`, without zeros at its end: 1.5, 2."""
    words = number_text(number).rstrip("0").rstrip(".") if trim else number_text(number)
    return {"text": f"({words})" if number < 0 else words, "role": role}


def power(exponent: float, digits: int = 2) -> list[Segment]:
    """e to this exponent."""
    return [italic("e"), {"sup": [text(number_text(exponent, digits))]}]
