"""Tries: markdown on which a reader takes hours: nested quotes, brackets, stars. Must: be graded, with feedback."""

from tests.attacks.cases import markdown

KIND = "Script in pages"
bombs = [
    ">" * 20_000 + "x", "[" * 50_000, "*a" * 50_000, "![" * 30_000, "`" * 50_001, "- " * 5_000 + "x", "<" * 50_000,
    "_" * 50_000, "|" * 10_000 + "\n" + "|-" * 10_000, "[a](" * 20_000, "&" * 50_000, "$" * 50_001, "\\" * 50_001,
    "<!--" * 20_000, "[a]: b\n" * 10_000 + "[a]" * 10_000, "~" * 50_000, "  " * 50_000 + "x", "1. " * 5_000,
    "![" * 400_000,
]  # fmt: skip


def tamper(notebook):
    for bomb in bombs:
        markdown(bomb)(notebook)
