"""Tries: cells that take long to run again, and functions that have them run again each time. Must: end in time."""

KIND = "Floods and bombs"
SETUP = "import time; time.sleep(2.5)"
ANSWERS = {
    f"ch02.{name}": f"import os, time\ntime.sleep(2)\ndef {name}(*args): os._exit(0)"
    for name in ("project_qkv", "scaled_dot_product_attention", "softmax_grad_norm")
}
SAYS = "ended the Python process|took longer"
SECONDS = 50.0
