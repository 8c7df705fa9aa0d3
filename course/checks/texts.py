"""Say in words how wrong texts are related to the right ones: cut short, with something too much, in another order.

As with numbers (`course.checks.relation`), a relation is told only if it holds for every text that is wrong, and it
tells nothing of the right text.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

Pair = tuple[str, str]  # the right text, and the one that came
LEAST = 2  # wrong texts: with one alone, much may be chance


def relation(pairs: list[Pair]) -> str:
    """How the texts that came are related to the right ones, in a sentence; "" if in no way that we know."""
    wrong = [(want, have) for want, have in pairs if want != have]
    if len(wrong) < LEAST:
        return ""
    return next((text for holds, text in RELATIONS if all(holds(*pair) for pair in wrong)), "")


def _something_missing(want: str, have: str) -> bool:
    """Whether cutting one piece out of the right text gives this one."""
    return len(have) < len(want) and _alike(want, have) + _alike(want[::-1], have[::-1]) >= len(have)


def _alike(one: str, other: str) -> int:
    """With how many characters both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _same_characters(want: str, have: str) -> bool:
    return len(set(want)) > 1 and sorted(want) == sorted(have)


RELATIONS: list[tuple[Callable[[str, str], bool], str]] = [
    (lambda want, have: not have, "The text is empty."),
    (lambda want, have: have == want[::-1], "The text is turned round: the right one, from its end to its beginning."),
    (lambda want, have: want.strip() == have.strip(), "Only blanks or line ends at its beginning or end are wrong."),
    (lambda want, have: want.startswith(have), "What is there is right, but the text stops too early."),
    (lambda want, have: want.endswith(have), "The end is right, but something before it is missing."),
    (lambda want, have: have.startswith(want), "The right text is there, and then comes something that is too much."),
    (lambda want, have: have.endswith(want), "The right text is there, but something too much stands before it."),
    (
        lambda want, have: have in want,
        "This is only a part of the right text: something before and behind it is missing.",
    ),
    (_something_missing, "All is right but for something that is missing in the middle."),
    (lambda want, have: _something_missing(have, want), "All is right but for something too much in the middle."),
    (lambda want, have: want.lower() == have.lower(), "Only capital and small letters are wrong."),
    (_same_characters, "These are the right characters in another order."),
]
