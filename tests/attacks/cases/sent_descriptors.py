"""Tries: sends open files along with its frames, to use up those of the grader. Must: earn nothing, keep none open."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = reach_channel + "import socket"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
    for _ in range(20):
        socket.send_fds(channel, [HEAD.pack(4, number_of_question())[:1]], files)
"""
}
SAYS = "could not be read|took longer"
