"""Tries: recursion without end, in Python, with no limit, and in repr. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
SETUP = """
class Mirror:
    def __repr__(self): return repr(self)
    __str__ = __format__ = lambda self, *args: str(self)
Mirror()
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): return project_qkv(*args)",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    import sys
    sys.setrecursionlimit(10**9)
    sorted([scores, scores], key=lambda _: softmax_grad_norm(scores))
""",
    "ch02.why_scale": "why_scale = Mirror()",
}
EARNS = dict.fromkeys(ANSWERS, 0)
SAYS = "RecursionError|ended the Python process|should be one letter"
