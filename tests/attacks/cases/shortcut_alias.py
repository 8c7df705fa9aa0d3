"""Tries: torch.softmax imported under a harmless name. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
import torch as numerics
from torch import softmax as row_shares
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = row_shares(numerics.tensor(q @ k.T / np.sqrt(k.shape[-1])), -1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
