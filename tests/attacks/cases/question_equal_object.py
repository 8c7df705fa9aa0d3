"""Tries: an answer that equals every letter and every list. Must: earn nothing, and say what an answer looks like."""

KIND = "Check questions"
SETUP = """
class Yes:
    def __eq__(self, other): return True
    __hash__ = lambda self: 0
    def __iter__(self): return iter("abcd")
    def strip(self): return self
    lower = encode = __str__ = __repr__ = lambda self, *args: "b"
"""
ANSWERS = {"ch02.why_scale": "why_scale = Yes()", "ch02.row_facts": "row_facts = [Yes(), Yes()]"}
SAYS = "should be"
