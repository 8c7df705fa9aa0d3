"""Tries: takes the judge's functions from the globals of the frames that call it. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
import sys
def borrowed(*args):
    frame = sys._getframe()
    while frame:
        for name in ("reference", "references", "F", "expected", "judge", "grade", "definition", "find"):
            if name in frame.f_globals and not frame.f_globals.get("borrowed"):
                return frame.f_globals[name](*args)
        frame = frame.f_back
    raise LookupError("no frame knows the answer")
"""
ANSWERS = {
    "ch02.project_qkv": "project_qkv = borrowed",
    "ch02.scaled_dot_product_attention": "scaled_dot_product_attention = borrowed",
    "ch02.softmax_grad_norm": "softmax_grad_norm = borrowed",
}
SAYS = "no frame knows the answer|hides what is called"
