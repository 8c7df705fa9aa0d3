"""Tries: round, float, abs, all, isinstance and sorted replaced under everybody. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
import builtins
for name in ("round", "float", "abs", "all", "any", "min", "max", "sorted"):
    setattr(builtins, name, lambda *args, **kwargs: 99.0)
builtins.isinstance = lambda *args: True
"""
ANSWERS = {"ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return 99"}
