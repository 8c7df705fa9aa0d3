"""Tries: the judged function shows full marks through sys.displayhook, then raises. Must: earn nothing."""

KIND = "IPython"
SETUP = """
import sys
from IPython.display import display
def full_marks():
    sys.displayhook(5.0)
    get_ipython().displayhook(5.0)
    display({"text/plain": "5"}, raw=True)
    print("5.0", file=sys.__stdout__, flush=True)
    raise RuntimeError("after the marks")
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): full_marks()",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): full_marks()",
}
SAYS = {"ch02.project_qkv": "after the marks", "ch02.scaled_dot_product_attention": "get_ipython may not be used"}
