"""Tries: takes eight gigabytes. Must: get none, and be told."""

KIND = "Floods and bombs"
SETUP = """
import numpy as np
try:
    held = np.ones(1 << 30)
    print("held")
except MemoryError:
    print("no eight gigabytes")
held = []
try:
    while True:
        held.append(bytearray(10 << 20))
except MemoryError:
    print("stopped below two gigabytes:", len(held) < 200)
del held
"""
ANSWERS = {"ch02.project_qkv": "def project_qkv(*args): return bytes(8 << 30)"}
SAYS = "MemoryError|memory"
SHOWS = "no eight gigabytes.*(stopped below two gigabytes: True|used more than 1000 MB|took longer than)"
