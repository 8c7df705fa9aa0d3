"""Tries: every option at once. Must: earn nothing."""

KIND = "Check questions"
ANSWERS = {
    "ch02.why_scale": 'why_scale = ["a", "b", "c", "d"]',
    "ch02.row_facts": 'row_facts = ["a", "b", "c", "d"]',
}
SAYS = "Not the right answer"
