"""Tries: removes the shell's own limits on output, then shows 60 MB. Must: be cut on the other side."""

KIND = "Floods and bombs"
SETUP = """
from autograder.untrusted import shell
shell.MAX_OUTPUTS = 10**9
shell._size = lambda output: 0
shell.Outputs.limit = property(lambda self: 1 << 40, lambda self, value: None)
"""
ANSWERS = {
    "ch02.why_scale": """
for i in range(60):
    print("x" * 1_000_000)
    shell.outputs.items.append({"output_type": "stream", "name": "stderr", "text": str(i)})
""",
    "ch02.project_qkv": "def project_qkv(*args): raise ValueError('x' * 50_000_000)",
}
SAYS = "ValueError|could not be read|ended|not defined"
