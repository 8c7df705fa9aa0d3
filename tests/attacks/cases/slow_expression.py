"""Tries: a regular expression that backtracks for ever. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
ANSWERS = {"ch02.project_qkv": 'def project_qkv(*args):\n    import re\n    return re.match("(a+)+$", "a" * 60 + "b")'}
SAYS = "took longer"
