"""Tries: sleeps, waits for a lock, a queue, a child and a pipe. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
ANSWERS = {
    "ch02.project_qkv": "def project_qkv(*args):\n    import time\n    time.sleep(1000)",
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(*args):
    import threading
    lock = threading.Lock()
    with lock:
        lock.acquire()
""",
    "ch02.softmax_grad_norm": """
def softmax_grad_norm(scores):
    import os
    return os.read(os.pipe()[0], 1)
""",
}
SAYS = "took longer than 2 s"
