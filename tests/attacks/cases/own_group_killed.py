"""Tries: kills its process group and session, in which the zygote might be. Must: harm itself at most."""

KIND = "Ways out"
SETUP = """
import os, signal
print(os.getpgrp(), os.getsid(0))
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    os.killpg(0, signal.SIGTERM)
    os.kill(0, signal.SIGKILL)
    return os.getpgrp()
""",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    os.kill(os.getpid(), signal.SIGTERM)
    return 1.0
""",
}
