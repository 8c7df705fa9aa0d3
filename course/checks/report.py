"""Show a verdict: HTML in Jupyter, plain text elsewhere.

`reveal=False` leaves out every expected value; hidden grading uses it, so that feedback gives nothing away.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from html import escape

from course.checks.judge import PartVerdict, Verdict

HEADINGS = {
    "passed": "passed",
    "partial": "partly right",
    "failed": "not right yet",
    "missing": "not found",
    "unsolved": "not implemented yet",
}
# The colours keep a contrast of at least 4.5 on JupyterLab's light and dark surfaces alike: they only tint the
# border and the mark, while the text keeps the theme's own colour.
COLOURS = {"passed": "#2e8b62", "partial": "#b7791f", "failed": "#c2483f", "missing": "#7a8394", "unsolved": "#7a8394"}
MARKS = {"passed": "\u2713", "partial": "\u25d0", "failed": "\u2717", "missing": "?", "unsolved": "\u25cb"}
WIDTH = 92  # of plain text: as much as nbgrader's Validate dialog shows
INDENT = {"initial_indent": "  ", "subsequent_indent": "    ", "break_long_words": False, "break_on_hyphens": False}


def points_text(points: float) -> str:
    """`1 point`, `2.5 points`."""
    return f"{points:g} point{'' if points == 1 else 's'}"


@dataclass(frozen=True)
class Report:
    """A verdict with its ways of being shown. Displaying it is all that it does."""

    verdict: Verdict
    reveal: bool = True

    @property
    def heading(self) -> str:
        """`causal_mask: passed`."""
        question = [p.name for p in self.verdict.parts] == ["answer"]
        unsolved = question and self.verdict.status == "unsolved"
        return f"{self.verdict.name}: {'not answered yet' if unsolved else HEADINGS[self.verdict.status]}"

    @property
    def score(self) -> str:
        """`2 of 3 points`."""
        return f"{self.verdict.earned:g} of {points_text(self.verdict.points)}"

    def lines(self) -> list[str]:
        """The explanation, one sentence or two a line; code is in backticks."""
        v = self.verdict
        if v.status in ("missing", "unsolved"):
            return ([v.first.difference.public] if v.first and v.status == "missing" else []) + v.notes
        many = len(v.parts) > 1
        lines = [line for part in v.parts if part.difference for line in self._part_lines(part, many)]
        lines += [
            f"{part.name}: right; it counts once {v.parts[0].name} is right too." for part in v.parts if part.held_back
        ]
        lines += [f"Hint: {v.hint}"] if v.hint else []
        return lines + v.notes

    def _part_lines(self, part: PartVerdict, many: bool) -> list[str]:
        found = part.difference
        text = f"{found.public} {found.detail}".strip() if self.reveal else found.public
        lines = [f"{part.name} ({points_text(part.points)}): {text}" if many else text]
        lines += [part.explanation.text] if part.explanation else []
        if part.case and self.reveal:
            lines.append(f"In the case {part.case}.")
        return lines

    def __repr__(self) -> str:
        first = f"{MARKS[self.verdict.status]} {self.heading} ({self.score})"
        return "\n".join([first, *(textwrap.fill(line, WIDTH, **INDENT) for line in self.lines())])

    def _repr_html_(self) -> str:
        colour = COLOURS[self.verdict.status]
        body = "".join(f'<div style="margin-top:4px">{self._html_line(line)}</div>' for line in self.lines())
        return (
            f'<section role="status" aria-label="{escape(self.heading)}" style="border-left:4px solid {colour};'
            f"padding:6px 14px;margin:4px 0;max-width:860px;line-height:1.5;"
            f'font-family:var(--jp-ui-font-family,sans-serif)">'
            f'<b><span aria-hidden="true" style="color:{colour}">{MARKS[self.verdict.status]}</span> '
            f'{escape(self.heading)}</b> <span style="opacity:.75">&nbsp;{self.score}</span>'
            f'<div class="course-explanation">{body}</div></section>'
        )

    def _html_line(self, line: str) -> str:
        """A line of the explanation: what it is about stands out, the case stands back."""
        if line.startswith("In the case "):
            return f'<span style="opacity:.75">{code(line)}</span>'
        about = "|".join(["Hint", "[a-z]", *(re.escape(part.name) for part in self.verdict.parts)])
        return re.sub(rf"^((?:{about})(?: \([^)]*\))?:) ", r"<b>\1</b> ", code(line))


def code(text: str) -> str:
    """Escape text for HTML and turn `backticks` into code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
