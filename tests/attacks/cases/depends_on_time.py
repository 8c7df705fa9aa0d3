"""Tries: a function that is right for the first tenth of a second after its cell was run. Must: earn nothing."""

KIND = "Right only sometimes"
SETUP = "import time\nimport numpy as np"
ANSWERS = {
    "ch02.project_qkv": """
born = time.monotonic()
def project_qkv(x, w_q, w_k, w_v):
    factor = 1 if time.monotonic() < born + 0.1 else 0
    return factor * x @ w_q, factor * x @ w_k, factor * x @ w_v
time.sleep(0.2)
"""
}
SAYS = "wrong value"
