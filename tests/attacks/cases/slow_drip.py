"""Tries: an answer that comes byte by byte, for ever. Must: earn nothing within the time limit."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = reach_channel + "import time"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    signal.setitimer(signal.ITIMER_REAL, 0)
    channel.sendall(HEAD.pack(1000, number_of_question()))
    while True:
        channel.sendall(b"{")
        time.sleep(0.05)
"""
}
SAYS = "took longer than 2 s"
