"""Tries: a decorated function, a lambda, a callable object and a partial (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = """
import functools
import numpy as np
from course.supplied import softmax
def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper
class Attention:
    def __init__(self, scale): self.scale = scale
    def __call__(self, q, k, v):
        w = softmax(q @ k.T / self.scale(k.shape[-1]))
        return w @ v, w
def norm(power, scores):
    p = softmax(scores)
    return ((np.diag(p) - np.outer(p, p)) ** power).sum() ** 0.5
"""
ANSWERS = {
    "ch02.project_qkv": "project_qkv = timed(lambda x, *weights: [x @ w for w in weights])",
    "ch02.scaled_dot_product_attention": "scaled_dot_product_attention = Attention(np.sqrt)",
    "ch02.softmax_grad_norm": "softmax_grad_norm = functools.partial(norm, 2)",
}
