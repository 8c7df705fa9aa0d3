"""Tries: tuples and dicts whose items are other ones each time they are read. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
import random
import numpy as np
class Sly(tuple):
    def __getitem__(self, key): return np.random.rand(1, 1)
    def __iter__(self): return (np.random.rand(1, 1) for _ in range(2))
    def __len__(self): return random.choice([2, 3])
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return Sly()",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return Sly((q, k))",
}
SAYS = "a Sly"
