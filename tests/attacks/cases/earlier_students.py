"""Tries: searches its own memory for what the student before it submitted. Must: find no trace."""

KIND = "Secrets"
SETUP = """
import re
needle = b"CAN" + b"ARY-"
found = set()
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps"):
        low, high = (int(x, 16) for x in line.split()[0].split("-"))
        if " r" in line and high - low < 1 << 28:
            try:
                memory.seek(low)
                found |= set(re.findall(needle + b"[a-z-]+-[0-9a-f]{16}", memory.read(high - low)))
            except (OSError, ValueError):
                pass
print("found", sorted(found))
"""
SHOWS = r"found \[\]"


def outside(target):
    """A solved notebook with a secret in it, graded just before."""
    from tests.attacks.target import RIVAL

    target.classroom.grade(RIVAL, target.rival.lesson)
