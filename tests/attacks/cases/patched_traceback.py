"""Tries: IPython shows no errors any more, and no output counts as error. Must: earn nothing."""

KIND = "IPython"
SETUP = """
from IPython.core.interactiveshell import InteractiveShell
for name in ("showtraceback", "_showtraceback", "showsyntaxerror", "showindentationerror"):
    setattr(InteractiveShell, name, lambda *args, **kwargs: None)
    setattr(type(get_ipython()), name, lambda *args, **kwargs: None)
"""
ANSWERS = {"ch02.project_qkv": "def project_qkv(*args): raise ValueError('nobody sees this')"}
SAYS = "nobody sees this"
