"""Tries: json, struct and socket replaced below the wire format. Must: earn nothing, and say what happened."""

KIND = "The judge's own code"
SETUP = """
import json, struct
def patch():
    json.dumps = lambda *args, **kwargs: '"passed"'
    json.loads = lambda *args, **kwargs: {"tree": True, "arrays": []}
    struct.pack = struct.Struct = lambda *args: bytes(16)
"""
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): patch()",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): patch()",
}
SAYS = "could not be read|ended the Python process"
