"""Tries: a method of a tensor that another cell made. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
import torch
one = torch.ones(1, dtype=torch.float64)
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = one.new_tensor(q @ k.T / np.sqrt(k.shape[-1])).softmax(-1).numpy()
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
