"""Tries: objects that claim to be arrays, by __class__, a metaclass and a false name. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
import numpy as np
class Meta(type):
    __name__ = "ndarray"
    def __instancecheck__(cls, thing): return True
    def __eq__(cls, other): return True
    __hash__ = type.__hash__
class Liar(metaclass=Meta):
    __class__ = np.ndarray
    dtype, nbytes, shape = np.dtype(float), 8, ()
    def __array__(self, *args, **kwargs): return np.zeros(())
    __array_interface__ = {"shape": (1, 1), "typestr": "<f8", "data": (0, False), "version": 3}
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return Liar(), Liar(), Liar()",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return Liar()",
}
SAYS = "Liar"
