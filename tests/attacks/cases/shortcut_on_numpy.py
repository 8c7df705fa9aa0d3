"""Tries: a function that setattr puts into numpy. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
import numpy, torch
setattr(numpy, "shares", lambda s: torch.softmax(torch.tensor(s), -1).numpy())
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = np.shares(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
