"""Tries: threads that write to the socket for ever. Must: earn nothing, and end."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = (
    reach_channel
    + """
import threading
def shout():
    while True:
        channel.sendall(os.urandom(1 << 16))
threads = [threading.Thread(target=shout, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
"""
)
SAYS = "could not be read|ended the Python process|not implemented yet|not answered yet"
