"""Tries: arrays of objects, texts and records, whose comparison could run code. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
import numpy as np
class Yes:
    def __eq__(self, other): return True
    def __sub__(self, other): return 0
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    return tuple(np.full((len(x), w.shape[1]), Yes(), dtype=object) for w in (w_q, w_k, w_v))
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    return np.full((len(q), v.shape[1]), "1.0"), np.zeros((len(q), len(k)), [("a", float)])
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return np.datetime64('2020-01-01')",
}
SAYS = "should be"
