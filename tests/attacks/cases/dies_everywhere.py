"""Tries: every function ends the process, so that it has to be started again for each. Must: earn the questions."""

KIND = "Endless and deadly code"
HONEST = True
ANSWERS = {
    f"ch02.{name}": f"import os\ndef {name}(*args): os._exit(1)"
    for name in ("project_qkv", "scaled_dot_product_attention", "softmax_grad_norm")
}
EARNS = dict.fromkeys(ANSWERS, 0)
SAYS = "ended the Python process"
