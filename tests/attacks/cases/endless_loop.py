"""Tries: a loop that does not end, in a cell and in a function. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
SETUP = "while True: pass"
ANSWERS = {"ch02.project_qkv": "def project_qkv(*args):\n    while True: pass"}
EARNS = {"ch02.project_qkv": 0}
SAYS = "took longer than 2 s. Is there a loop that does not end?"
SHOWS = "took longer than 3 s"
