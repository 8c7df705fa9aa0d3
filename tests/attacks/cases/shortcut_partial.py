"""Tries: a decorator and an object between it and torch. Must: earn nothing for it, and name what may not be used."""

KIND = "Forbidden shortcuts"
HONEST = True
SETUP = """
import functools, torch
class Shares:
    def __init__(self, axis): self.axis = axis
    def __call__(self, s): return torch.softmax(torch.tensor(s), self.axis).numpy()
def shared(function):
    return functools.partial(function, Shares(-1))
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
@shared
def scaled_dot_product_attention(shares, q, k, v):
    w = shares(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
"""
}
EARNS = {"ch02.scaled_dot_product_attention": 0}
SAYS = "may not be used here"
