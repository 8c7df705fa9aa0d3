"""Tries: the golden data's result for inputs of the same shape. Must: earn nothing."""

KIND = "Right only sometimes"
SETUP = """
import numpy as np
from course.checks.runner import revive
from course.checks.sheet import load_sheet
def nearest(name, args):
    shapes = [np.shape(a) for a in args]
    cases = [c for c in load_sheet(f"ch02.{name}").cases if [np.shape(a) for a in c.script[0]["args"]] == shapes]
    case = min(cases, key=lambda c: sum(np.abs(a - b).sum() for a, b in zip(args, c.script[0]["args"])))
    return revive(case.expected[0]["value"])
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): return nearest('project_qkv', args)",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(*args): return nearest("scaled_dot_product_attention", args)
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(*args): return nearest('softmax_grad_norm', args)",
}
SAYS = "wrong value"
