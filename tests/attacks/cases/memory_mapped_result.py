"""Tries: results mapped from a file that a thread fills in later. Must: earn nothing, and name the type."""

KIND = "Forged results"
SETUP = """
import threading, time
import numpy as np
open("later", "wb").write(bytes(8 * 64))
def fill():
    while True:
        np.memmap("later", float, "r+")[:] = time.time()
        time.sleep(0.001)
threading.Thread(target=fill, daemon=True).start()
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    return tuple(np.memmap("later", float, "r+", shape=(len(x), w.shape[1])) for w in (w_q, w_k, w_v))
"""
}
SAYS = "a memmap"
