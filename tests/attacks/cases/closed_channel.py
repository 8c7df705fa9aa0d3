"""Tries: closes every file that it has, the channel to the judge too. Must: earn nothing, and say why."""

KIND = "Frames on the socket"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    import os
    os.closerange(0, 1000)
"""
}
SAYS = "ended the Python process|could not be read"
