"""Tries: a thread that reads the judge's questions before the runner does. Must: earn nothing, and end."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = (
    reach_channel
    + """
import threading
def steal():
    while True:
        channel.recv(1 << 16)
for _ in range(4):
    threading.Thread(target=steal, daemon=True).start()
"""
)
SAYS = "took longer|could not|not implemented yet|not answered yet|ended"
SECONDS = 45.0
