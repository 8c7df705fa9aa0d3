"""Tries: functions that are right for three calls, enough for a look at them. Must: earn nothing."""

KIND = "Right only sometimes"
SETUP = """
import numpy as np
calls = 0
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    global calls
    calls += 1
    factor = 1 if calls <= 3 else 0
    return factor * x @ w_q, factor * x @ w_k, factor * x @ w_v
""",
}
SAYS = "wrong value"
