"""Tries: numpy and torch comparisons that always say yes. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
import numpy as np, torch
yes = lambda *args, **kwargs: True
for module in (np, torch, np.testing, torch.testing):
    for name in ("allclose", "isclose", "isfinite", "array_equal", "equal", "assert_allclose", "assert_close"):
        setattr(module, name, yes)
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return q @ k.T @ v, q @ k.T",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return 1.0",
}
SAYS = "wrong value"
