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


def factor(number: float, role: str = "plain") -> Segment:
    """A number in a product; a negative one in brackets."""
    return {"text": f"({number_text(number)})" if number < 0 else number_text(number), "role": role}


def power(exponent: float, digits: int = 2) -> list[Segment]:
    """e to this exponent."""
    return [italic("e"), {"sup": [text(number_text(exponent, digits))]}]
