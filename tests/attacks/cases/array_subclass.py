"""Tries: an ndarray subclass whose comparisons are always true. Must: earn nothing, and name the type."""

KIND = "Forged results"
SETUP = """
import numpy as np
class Sly(np.ndarray):
    def __eq__(self, other): return True
    def __array_finalize__(self, obj): pass
    def __array_ufunc__(self, *args, **kwargs): return np.zeros(1)
    def astype(self, *args, **kwargs): return self
    nbytes = 0
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    return np.zeros((len(q), v.shape[1])).view(Sly), np.zeros((len(q), len(k))).view(Sly)
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return np.zeros(()).view(Sly)",
}
SAYS = "a Sly"
