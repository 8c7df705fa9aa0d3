"""Tries: a table and a picture of a few hundred kilobytes (honest). Must: keep its points, and be shown."""

KIND = "Honest but odd"
HONEST = True
SETUP = """
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display
plt.figure(figsize=(8, 6), dpi=120)
plt.imshow(np.random.default_rng(0).random((200, 200)))
plt.show()
display(HTML("<table>" + "".join(f"<tr><td>{i}</td></tr>" for i in range(3000)) + "</table>"))
for i in range(2000):
    print("line", i)
"""
SHOWS = "2999.*line 900"


def afterwards(ran):
    return [] if "data:image/png;base64," in ran.graded.feedback else ["the picture is missing"]
