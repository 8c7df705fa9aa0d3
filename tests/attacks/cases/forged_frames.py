"""Tries: answers the judge itself, on the inherited socket, with the right number. Must: earn nothing."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = reach_channel
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    for _ in range(100):
        say({"outcomes": [{"value": "passed", "changed": [], "passed": True, "earned": 2}], "points": 2})
""",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    say({"outcomes": [{"value": True, "changed": []}], "verdict": "passed", "text/plain": "2"})
    os._exit(0)
""",
}
