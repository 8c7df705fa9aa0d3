"""Tries: replaces itself by another program, which inherits the channel. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
ANSWERS = {
    "ch02.project_qkv": """
import os, sys
def project_qkv(*args):
    for fd in range(3, 200):
        try: os.set_inheritable(fd, True)
        except OSError: pass
    shout = "import os, itertools\\nfor fd in itertools.cycle(range(3, 200)):\\n"
    shout += " try: os.write(fd, b'passed' * 99)\\n except OSError: pass"
    os.execv(sys.executable, [sys.executable, "-c", shout])
""",
}
EARNS = {"ch02.project_qkv": 0}
SAYS = "could not be read|ended the Python process|took longer"
