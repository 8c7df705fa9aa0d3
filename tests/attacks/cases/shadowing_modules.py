"""Tries: its own numpy, json, torch, course and IPython beside the notebook, patched. Must: earn nothing."""

KIND = "Files in the submission"
evil = "raise SystemExit('shadowed')\nallclose = lambda *args, **kwargs: True\n"
names = ["numpy", "json", "torch", "struct", "matplotlib", "random", "autograder", "nbgrader", "IPython", "encodings"]
FILES = {f"{name}.py": evil for name in names} | {
    "course/__init__.py": "check = lambda *args: 'passed'\n",
    "course/checks/runner.py": "answer = lambda *args: {'outcomes': [{'value': 99}]}\n",
    "autograder/untrusted/service.py": evil,
}
ANSWERS = {"ch02.softmax_grad_norm": "import json, random, struct\ndef softmax_grad_norm(scores): return 0.5"}
SAYS = "wrong value"
