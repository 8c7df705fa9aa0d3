"""Tries: kills itself, aborts and stops itself by signals. Must: earn nothing there, keep the rest."""

KIND = "Endless and deadly code"
HONEST = True
ANSWERS = {
    "ch02.project_qkv": "import os\ndef project_qkv(*args): os.kill(os.getpid(), 9); os.abort()",
    "ch02.scaled_dot_product_attention": "def scaled_dot_product_attention(*args): os.abort()",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    if os.fork() == 0:
        os.kill(1, 19)
    os.kill(os.getpid(), 19)
    while True: pass
""",
}
EARNS = {f"ch02.{name}": 0 for name in ("project_qkv", "scaled_dot_product_attention", "softmax_grad_norm")}
SAYS = "ended the Python process|took longer"
