"""Tries: torch, getattr, exec and eval in cells that no graded function uses (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = """
import sys
import torch
from torch import nn
import torch.nn.functional as F
for name in ("float32", "float64"):
    print(getattr(torch, name), eval("1 + 1"), sys.version_info.major)
exec("x = 3")
print(globals()["x"], vars(nn).keys() & {"Linear"})
"""


def tamper(notebook):
    from nbformat.v4 import new_code_cell

    compare = """
q, k, v = (np.random.default_rng(0).standard_normal((4, 4)) for _ in range(3))
mine, _ = scaled_dot_product_attention(q, k, v)
print("agrees:", np.allclose(mine, F.scaled_dot_product_attention(*map(torch.tensor, (q, k, v))).numpy()))
"""
    notebook.cells.append(new_code_cell(compare))


SHOWS = "agrees: True"
