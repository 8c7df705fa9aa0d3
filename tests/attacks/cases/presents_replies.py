"""Tries: sends thousands of answers before anybody asked. Must: earn nothing, and say that it disturbed the check."""

from tests.attacks.cases import reach_channel

KIND = "Frames on the socket"
SETUP = (
    reach_channel
    + """
for guess in range(2000):
    say({"outcomes": [{"value": True, "changed": []}], "outputs": []}, guess)
"""
)
SAYS = "could not be read|ended the Python process|not implemented yet|not answered yet"
