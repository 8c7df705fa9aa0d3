"""Tries: errors whose text, class and traceback raise, exit or never end. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
SETUP = """
import os
class Hostile(Exception):
    def __str__(self): raise SystemExit("in str")
    def __repr__(self): raise KeyboardInterrupt("in repr")
    @property
    def __traceback__(self): raise MemoryError("in traceback")
    @property
    def __class__(self): raise ValueError("in class")
    args = property(lambda self: [][1])
class Endless(Exception):
    def __str__(self):
        while True: pass
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): raise Hostile()",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): raise Endless()",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    raise ExceptionGroup("many", [ValueError(i) for i in range(100_000)])
raise Hostile()
""",
}
EARNS = {f"ch02.{name}": 0 for name in ("project_qkv", "scaled_dot_product_attention", "softmax_grad_norm")}
SAYS = "Your code"
