"""Tries: judge, compare and report patched in its own process. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
from course.checks import compare, judge, report
compare.difference = judge.difference = judge.case_difference = lambda *args, **kwargs: None
judge.Verdict.passed = judge.Verdict.earned = property(lambda self: 99.0)
judge.PartVerdict.earned = property(lambda self: 99.0)
report.Report.score = "99 of 99 points"
judge.judge = lambda sheet, *args: judge.Verdict(sheet.id, sheet.name, 99.0)
"""
