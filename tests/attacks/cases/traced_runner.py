"""Tries: sys.setprofile and settrace, to change what the runner's functions return. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
import sys, threading
def spy(frame, event, arg):
    for name, value in list(frame.f_locals.items()):
        if isinstance(value, dict) and "value" in value:
            value.update(passed=True, earned=99, changed=[])
    return spy
sys.setprofile(spy)
sys.settrace(spy)
threading.setprofile(spy)
"""
ANSWERS = {"ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return 99.0"}
SAYS = "wrong value"
