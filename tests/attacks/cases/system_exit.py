"""Tries: SystemExit, exit() and quit() in a cell and in functions. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
SETUP = "exit()\nquit()\nraise SystemExit(0)"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): raise SystemExit(0)",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): exit()",
}
EARNS = {"ch02.project_qkv": 0, "ch02.softmax_grad_norm": 0}
SAYS = "SystemExit|should be a float|should be"
