"""Tries: returns the wire format's own TorchArray and Opaque with false contents. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
import numpy as np
from course.checks.wire import Opaque, TorchArray
class Hostile:
    nbytes = 0
    dtype = np.dtype(float)
    def astype(self, *args, **kwargs): raise SystemExit
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return (TorchArray(x @ w_q, '__import__'),) * 3",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(q, k, v): return Opaque('a NumPy array'), q",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return TorchArray(Hostile(), 'float32')",
}
