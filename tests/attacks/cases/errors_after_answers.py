"""Tries: answer cells that end in an error and leave threads waiting (honest). Must: keep its points."""

from tests.grading.classroom import solved

KIND = "Honest but odd"
HONEST = True
end = "\nimport threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\nassert False"
ANSWERS = {i: text + end for i, text in solved("ch02_scaled_dot_product").items()}
