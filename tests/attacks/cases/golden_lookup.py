"""Tries: looks its inputs up in the golden data that every student has. Must: earn nothing, for no input is there."""

KIND = "Right only sometimes"
SETUP = """
import numpy as np
from course.checks.runner import revive
from course.checks.sheet import load_sheet
def looked_up(name, args):
    for case in load_sheet(f"ch02.{name}").cases:
        given = case.script[0]["args"]
        if all(np.shape(a) == np.shape(b) and np.allclose(a, b) for a, b in zip(args, given)):
            return revive(case.expected[0]["value"])
    raise LookupError("not among the visible cases")
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): return looked_up('project_qkv', args)",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(*args): return looked_up("scaled_dot_product_attention", args)
""",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(*args): return looked_up('softmax_grad_norm', args)",
}
SAYS = "not among the visible cases"
