"""One attack a file; `tests.attacks.attack` says what may stand in it. Here is what several of them use."""

from nbformat.v4 import new_markdown_cell

# How an attacker gets hold of the channel to the judge, and of the number of the question that is being asked.
reach_channel = """
import os, signal, socket as sockets, stat, sys
from autograder.untrusted.channel import HEAD
from course.checks import runner, wire
def is_socket(fd):
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False
channel = sockets.socket(fileno=[fd for fd in range(256) if is_socket(fd)][0])
honest_encode = wire.encode
def number_of_question():
    frame = sys._getframe()
    while frame:
        if "question" in frame.f_locals and "number" in frame.f_locals:
            return frame.f_locals["number"]
        frame = frame.f_back
def say(value, number=None):
    frame = honest_encode(value)
    channel.sendall(HEAD.pack(len(frame), number_of_question() if number is None else number) + frame)
"""


def markdown(text):
    """A `tamper` that puts a markdown cell of this text before the other cells."""

    def tamper(notebook):
        notebook.cells.insert(0, new_markdown_cell(text))

    return tamper
