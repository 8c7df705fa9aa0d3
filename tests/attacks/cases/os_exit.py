"""Tries: os._exit in a cell and in a function. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
SETUP = "import os; os._exit(0)"
ANSWERS = {"ch02.project_qkv": "import os\ndef project_qkv(*args): os._exit(0)"}
EARNS = {"ch02.project_qkv": 0}
SAYS = "ended the Python process"
SHOWS = "ended the Python process"
