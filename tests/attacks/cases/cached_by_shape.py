"""Tries: functions that are right for each new shape, and repeat the old result after that. Must: earn nothing."""

KIND = "Right only sometimes"
SETUP = """
import numpy as np
from course.supplied import softmax
known = {}
def by_shape(function):
    def cached(*args):
        key = function.__name__, *(np.shape(a) for a in args)
        return known.setdefault(key, known.get(key) or function(*args))
    return cached
"""
ANSWERS = {
    "ch02.project_qkv": "@by_shape\ndef project_qkv(x, w_q, w_k, w_v): return x @ w_q, x @ w_k, x @ w_v",
    "ch02.scaled_dot_product_attention": """
@by_shape
def scaled_dot_product_attention(q, k, v):
    w = softmax(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
""",
    "ch02.softmax_grad_norm": """
@by_shape
def softmax_grad_norm(scores):
    p = softmax(scores)
    return float(np.linalg.norm(np.diag(p) - np.outer(p, p)))
""",
}
SAYS = "wrong value"
