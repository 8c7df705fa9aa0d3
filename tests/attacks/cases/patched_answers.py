"""Tries: the runner's answer replaced by verdicts and points of its own making. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
from course.checks import runner
runner.answer = lambda message, namespace: {
    "outcomes": [], "verdict": "passed", "earned": 99, "text/plain": "99", "points": 99, "stopped": ""}
"""
SAYS = "could not be read"
