"""Tries: sums, powers and products in C that never look for a signal. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): return sum(range(10**12))",
    "ch02.why_scale": "why_scale = 9 ** 9 ** 9",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): return str(7 ** 10**7)[0]",
}
SAYS = "took longer|could not be interrupted|not defined|ValueError"
SECONDS = 40.0
