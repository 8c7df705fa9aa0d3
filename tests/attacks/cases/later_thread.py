"""Tries: a thread that keeps patching comparisons and swapping functions. Must: earn nothing."""

KIND = "Right only sometimes"
SETUP = """
import threading, time
import numpy as np
def forge():
    while True:
        np.allclose = np.isclose = np.array_equal = lambda *args, **kwargs: True
        for name in ("project_qkv", "scaled_dot_product_attention", "softmax_grad_norm"):
            globals()[name] = lambda *args: tuple(np.zeros((1, 1)) for _ in args)
        globals()["why_scale"] = globals()["row_facts"] = ["a", "b", "c", "d"]
        time.sleep(0.0001)
threading.Thread(target=forge, daemon=True).start()
"""
SAYS = "should|wrong value|Not the right answer|not implemented yet|not answered yet"
