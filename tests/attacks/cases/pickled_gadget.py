"""Tries: objects that run code when they are unpickled, copied or shown. Must: earn nothing, and run nowhere else."""

KIND = "Forged results"
SETUP = """
import os
class Gadget:
    def __reduce_ex__(self, protocol): return os.system, ("touch '{{COURSE}}/opened' /tmp/opened",)
    def __repr__(self): return str(os.system("touch '{{COURSE}}/opened'"))
    __str__ = __repr__
    def __getstate__(self): return open("{{COURSE}}/opened", "w")
    def __setstate__(self, state): open("{{COURSE}}/opened", "w")
    def __del__(self): os.system("touch '{{COURSE}}/opened'")
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(x, w_q, w_k, w_v): return Gadget(), Gadget(), Gadget()",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return Gadget()",
    "ch02.why_scale": "why_scale = Gadget()",
}
SAYS = "a Gadget|should be one letter"
