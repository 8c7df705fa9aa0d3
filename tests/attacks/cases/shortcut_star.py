"""Tries: a star import of torch. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
from torch import *
import numpy as np
from course.supplied import softmax
float = type(0.5)
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = log_softmax(tensor(q @ k.T / np.sqrt(k.shape[-1])), -1).exp().numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
