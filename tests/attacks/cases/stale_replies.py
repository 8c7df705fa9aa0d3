"""Tries: a right answer to an easy case, sent again in answer to every later one. Must: earn nothing."""

KIND = "Frames on the socket"
SETUP = """
import numpy as np
from autograder.untrusted import service
from course.supplied import softmax
send, kept = service.channel.send, []
def again(sock, value, number, *args):
    kept.append(value)
    send(sock, kept[0], number, *args)
"""
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(x, w_q, w_k, w_v):
    service.channel.send = again
    return x @ w_q, x @ w_k, x @ w_v
""",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q, k, v):
    w = softmax(q @ k.T / np.sqrt(k.shape[-1]))
    return w @ v, w
""",
    "ch02.why_scale": "why_scale = 'b'",
}
SAYS = "should have shape|wrong value|should be one letter|could not be read|should be a pair|2 items|tuple"
