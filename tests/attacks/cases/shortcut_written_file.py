"""Tries: a helper module that a cell writes first. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
%%writefile shares.py
import torch
def shares(s): return torch.softmax(torch.tensor(s), -1).numpy()
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    import shares
    w = shares.shares(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
