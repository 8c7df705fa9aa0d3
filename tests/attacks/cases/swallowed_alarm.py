"""Tries: a loop that catches the time limit's exception and goes on. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
ANSWERS = {
    "ch02.project_qkv": """
def project_qkv(*args):
    while True:
        try:
            while True: pass
        except BaseException:
            pass
"""
}
SAYS = "took longer"
