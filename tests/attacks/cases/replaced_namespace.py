"""Tries: a namespace that has something under every name. Must: earn nothing."""

KIND = "IPython"
SETUP = """
class Everything(dict):
    def __contains__(self, name): return True
    def __missing__(self, name): return lambda *args: args
    def get(self, name, default=None): return self[name]
shell = get_ipython()
shell.user_ns = Everything(shell.user_ns)
shell.user_module.__dict__.clear()
"""
