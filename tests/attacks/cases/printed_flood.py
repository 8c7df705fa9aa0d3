"""Tries: prints without end, to stdout, stderr and below Python to descriptor 1. Must: be cut, and earn nothing."""

KIND = "Floods and bombs"
SETUP = """
import os, sys
def flood():
    while True:
        print("x" * 100_000)
        print("x" * 100_000, file=sys.stderr)
        os.write(1, b"x" * 100_000)
"""
ANSWERS = {
    "ch02.why_scale": "flood()",
    "ch02.project_qkv": "def project_qkv(*args): flood()",
}
SAYS = "took longer|not defined|OSError|memory"
