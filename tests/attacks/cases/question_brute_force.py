"""Tries: asks the visible check about every option of a question. Must: earn it: at home the check tells as much."""

KIND = "Known limits"
ANSWERS = {
    "ch02.why_scale": """
from course import check
for why_scale in "abcd":
    if check("ch02.why_scale").verdict.passed:
        break
"""
}
EARNS = {"ch02.why_scale": 1}
