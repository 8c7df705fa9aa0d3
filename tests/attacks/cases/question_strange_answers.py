"""Tries: sets, dicts, generators, arrays and texts of a million letters as answers. Must: earn nothing, and say so."""

KIND = "Check questions"
ANSWERS = {"ch02.why_scale": "why_scale = 'b' * 10**6 + '<script>'", "ch02.row_facts": "row_facts = {'a': 1, 'd': 2}"}
SAYS = "should be"
