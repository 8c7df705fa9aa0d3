"""Tries: returns a passed verdict, points and praise in place of a result. Must: earn nothing."""

KIND = "Forged results"
SETUP = """
from course.checks.judge import PartVerdict, Verdict
passed = Verdict("ch02.project_qkv", "project_qkv", 99.0, [PartVerdict("values", 99.0)])
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return passed",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    return {"value": "passed", "points": 5, "earned": 5, "passed": True, "text/plain": "5"}
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return '2 of 2 points'",
}
SAYS = "should be"
