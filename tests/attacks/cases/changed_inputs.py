"""Tries: a right result that ruins the caller's arrays. Must: earn nothing there, and say which argument."""

KIND = "Forged results"
HONEST = True
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    result = x @ w_q, x @ w_k, x @ w_v
    x += 1
    return result
"""
}
EARNS = {"ch02.project_qkv": 0}
SAYS = "changes argument 0 in place"
