"""Tries: warnings, logging and prints on both streams, everywhere (an honest student). Must: keep its points."""

from tests.grading.classroom import solved

KIND = "Honest but odd"
HONEST = True
SETUP = """
import logging, sys, warnings
def chatter():
    warnings.warn("look out", stacklevel=2)
    warnings.warn("old", DeprecationWarning)
    print("here"), print("there", file=sys.stderr)
    logging.getLogger("mine").error("an error that is none")
chatter()
"""
text = solved("ch02_scaled_dot_product")["ch02.project_qkv"]
ANSWERS = {"ch02.project_qkv": text.replace('    """Project', '    chatter()\n    """Project', 1) + "\nchatter()"}
