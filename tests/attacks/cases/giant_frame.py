"""Tries: the head of a frame of four exabytes, and one of 60 MB. Must: earn nothing, and cost no memory."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = reach_channel
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    channel.sendall(HEAD.pack(1 << 62, number_of_question()) + bytes(1 << 20))
""",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    channel.sendall(HEAD.pack(60 << 20, number_of_question()) + (60 << 20).to_bytes(4, "little") + bytes(60 << 20))
""",
}
SAYS = "could not be read"
