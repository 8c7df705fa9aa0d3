"""Tries: functions that are right the first time they are called, and never again. Must: earn nothing."""

KIND = "Right only sometimes"
SETUP = """
import numpy as np
from course.supplied import softmax
called = set()
def first(name):
    new = name not in called
    called.add(name)
    return new
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    factor = 1 if first("project_qkv") else 0
    return factor * x @ w_q, factor * x @ w_k, factor * x @ w_v
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = softmax(q @ k.T / np.sqrt(k.shape[-1]) * (1 if first("attention") else 0))
    return w @ v, w
""",
}
SAYS = "wrong value"
