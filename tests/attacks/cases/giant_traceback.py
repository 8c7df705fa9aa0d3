"""Tries: an error with a message of 20 MB, ten thousand frames and a chain of a thousand causes. Must: be cut."""

KIND = "Floods and bombs"
SETUP = """
import sys
sys.setrecursionlimit(20_000)
def deep(n):
    if n == 0:
        raise ValueError("x" * 20_000_000)
    deep(n - 1)
def chain(n):
    try:
        deep(900) if n == 0 else chain(n - 1)
    except ValueError as error:
        raise ValueError("y" * 10_000) from error
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): deep(9000)",
    "ch02.why_scale": "chain(100)",
}
SAYS = "ValueError|took longer|not defined|ended"
SECONDS = 40.0
