"""Tries: three hundred cells of 100 KB of markdown that is slow to read. Must: be graded, with feedback, in time."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
SECONDS = 60.0


def tamper(notebook):
    for i in range(300):
        markdown("*a" * 49_000 + str(i))(notebook)
