"""Tries: compares every option of a question with the golden data. Must: earn it: at home the check tells as much."""

KIND = "Known limits"
ANSWERS = {
    "ch02.why_scale": """
from course.checks.sheet import answer_digest, load_sheet
digest = load_sheet("ch02.why_scale").answer_digest
why_scale = next(option for option in "abcd" if answer_digest("ch02.why_scale", option) == digest)
"""
}
EARNS = {"ch02.why_scale": 1}
