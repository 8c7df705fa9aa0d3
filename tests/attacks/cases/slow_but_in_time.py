"""Tries: each call takes a second, a cell two (honest). Must: keep its points."""

from tests.grading.classroom import solved

KIND = "Honest but odd"
HONEST = True
SETUP = "import time; time.sleep(2)"
text = solved("ch02_scaled_dot_product")["ch02.softmax_grad_norm"]
ANSWERS = {"ch02.softmax_grad_norm": "import time\n" + text.replace('    """Frob', '    time.sleep(1)\n    """Frob', 1)}
SECONDS = 40.0
