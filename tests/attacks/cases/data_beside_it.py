"""Tries: reads data that was handed in beside the notebook, in a folder too (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
FILES = {"data.csv": "1,2\n3,4\n", "more/numbers.txt": "7", "helpers.py": "def twice(x): return 2 * x\n"}
SETUP = """
import numpy as np
from helpers import twice
print("sum", np.loadtxt("data.csv", delimiter=",").sum() + twice(int(open("more/numbers.txt").read())))
"""
SHOWS = "sum 24"
