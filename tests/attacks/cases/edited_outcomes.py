"""Tries: rewrites the runner's list of outcomes from inside the function that is judged. Must: earn nothing."""

KIND = "The judge's own code"
SETUP = """
import sys
class Forger(list):
    def append(self, outcome): super().append({"value": "passed", "changed": [], "passed": True, "points": 99})
def forge():
    frame = sys._getframe()
    while frame:
        outcomes = frame.f_locals.get("outcomes")
        if isinstance(outcomes, list):
            outcomes += [{"value": "passed", "changed": [], "passed": True}] * 1000
        script = frame.f_locals.get("script")
        if isinstance(script, list):
            script += [{"op": "value", "name": "forge", "args": [], "kwargs": {}}] * 1000
        frame = frame.f_back
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): forge(); return args",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(*args): forge(); return 0.5",
}
