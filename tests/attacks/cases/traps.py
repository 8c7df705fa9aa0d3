"""Tries: __del__, __getattr__, metaclass and weakref traps that go off in the runner. Must: earn nothing there."""

KIND = "Endless and deadly code"
HONEST = True
SETUP = """
import os
class Trap:
    def __del__(self):
        while True:
            try: raise SystemExit
            except BaseException: pass
    def __getattribute__(self, name): raise SystemExit(name)
class Meta(type):
    def __getattribute__(cls, name): raise SystemExit(name)
    def mro(cls): return [cls, object]
class Odd(metaclass=Meta):
    pass
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): return Trap(), Trap(), Trap()",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return Odd()",
}
EARNS = {"ch02.project_qkv": 0, "ch02.softmax_grad_norm": 0}
SAYS = "Your code|should be"
