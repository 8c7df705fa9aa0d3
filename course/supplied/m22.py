"""Lesson m22: the launchers of its Triton kernels, and working versions of what its exercises ask for.

A launcher lays out tensors, chooses the grid and launches the kernel that it is given; the checks call the same ones.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kernels.notebook import triton

__all__ = ["launch_rows"]

GAP = 3  # numbers between two rows that belong to nobody: a kernel that runs past a row's end is found


def launch_rows(kernel, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Launch `kernel(x, out, columns, x_row, out_row, BLOCK)`, one program for each row; `out` begins as NaN.

    A row begins `x_row` numbers after the row before it. BLOCK is the least power of two that a row fits into.
    """
    rows, columns = x.shape
    source, out = _with_gaps(x), _with_gaps(torch.full_like(x, torch.nan))
    block = max(2, triton.next_power_of_2(columns))
    kernel[(rows,)](source, out, columns, source.stride(0), out.stride(0), BLOCK=block)
    return out.clone()


def _with_gaps(x: Tensor) -> Tensor:
    """The same numbers, with a gap after each row."""
    wide = x.new_full((*x.shape[:-1], x.shape[-1] + GAP), torch.nan)
    wide[..., : x.shape[-1]] = x
    return wide[..., : x.shape[-1]]
