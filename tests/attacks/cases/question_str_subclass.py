"""Tries: letters of a str subclass that is another letter each time. Must: earn nothing."""

KIND = "Check questions"
SETUP = """
import random
class Letter(str):
    def strip(self): return random.choice("abcd")
    lower = casefold = encode = strip
    def __eq__(self, other): return True
    __hash__ = str.__hash__
"""
ANSWERS = {"ch02.why_scale": 'why_scale = Letter("a")', "ch02.row_facts": 'row_facts = [Letter("b"), Letter("c")]'}
SAYS = "should be"
