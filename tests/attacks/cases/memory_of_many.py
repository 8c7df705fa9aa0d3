"""Tries: forty processes of 200 MB each, of which none is too large. Must: be ended at its limit, and be told."""

KIND = "Floods and bombs"
SETUP = """
import os, time
for _ in range(40):
    if os.fork() == 0:
        held = bytearray(os.urandom(1 << 20)) * 200
        time.sleep(1000)
time.sleep(2.5)
print("held by all")
"""
SHOWS = "used more than 1000 MB of memory|took longer than"


def afterwards(ran):
    return ["it held 8 GB"] if "held by all" in str([c.get("outputs") for c in ran.graded.notebook.cells]) else []
