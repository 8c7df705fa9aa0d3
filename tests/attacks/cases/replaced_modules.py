"""Tries: sys.modules with a forged runner, judge and course.check in it. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
import sys, types
fake = types.ModuleType("fake")
fake.check = fake.judge = fake.serve = fake.answer = fake.graded = lambda *args, **kwargs: "passed: 99 of 99 points"
for name in [n for n in sys.modules if n.startswith(("course", "autograder"))]:
    sys.modules[name] = fake
check = graded = judge = fake.check
"""
SAYS = "not implemented yet|not answered yet|should be one letter|could not be read"
