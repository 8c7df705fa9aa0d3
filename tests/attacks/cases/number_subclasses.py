"""Tries: floats and ints whose subtraction and comparison lie. Must: earn nothing, and name the type."""

KIND = "Forged results"
SETUP = """
import numpy as np
class Sly(float):
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
    def __eq__(self, other): return True
    def __le__(self, other): return True
    __hash__ = float.__hash__
"""
ANSWERS = {"ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return Sly(0.0)"}
SAYS = "a Sly"
