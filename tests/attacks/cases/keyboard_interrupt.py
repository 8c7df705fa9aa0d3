"""Tries: raises KeyboardInterrupt, GeneratorExit, and the runner's own private exceptions. Must: earn nothing."""

KIND = "Endless and deadly code"
SETUP = "from course.checks.runner import _Wanted"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args): raise KeyboardInterrupt",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): raise _Wanted('project_qkv')",
    "ch02.softmax_grad_norm": "def softmax_grad_norm(scores): raise GeneratorExit",
}
SAYS = "Your code"
