"""Tries: reads and writes at address 0 through ctypes, and breaks objects. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
ANSWERS = {
    "ch02.project_qkv": "import ctypes\ndef project_qkv(*args): return ctypes.string_at(0)",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    ctypes.memset(id(scores), 0, 64)
    return 1.0
""",
}
EARNS = {"ch02.project_qkv": 0, "ch02.softmax_grad_norm": 0}
SAYS = "ended the Python process|wrong value"
