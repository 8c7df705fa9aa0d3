"""Muon: momentum whose steps turn a matrix in all of its directions alike (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Muon", "orthogonalized"]


def orthogonalized(update: Float[Tensor, "m n"], rounds: int = 5) -> Float[Tensor, "m n"]:
    """A matrix U S V^T with its singular values S brought near 1, all between about 0.7 and 1.2, U and V kept.

    Each round maps every singular value s to a s + b s^3 + c s^5 (Newton-Schulz) with numbers that grow small values
    fastest; it needs only products of matrices. Source: Jordan, "Muon: an optimizer for hidden layers", 2024.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / update.norm().clamp(min=1e-7)  # now no singular value is above 1
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T  # the smaller of the two squares
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized, for the matrices of hidden layers; all else is for AdamW.

    A step has the size `lr`, times the root of rows / columns for tall matrices. float32, where torch.optim.Muon
    orthogonalizes in bfloat16, which is slow on a CPU. Raises ValueError for a parameter that is no matrix.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon moves matrices only")

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, **{name: group[name] for name in ("lr", "momentum", "weight_decay")})

    def _move(self, p: Tensor, gradient: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        average.lerp_(gradient, 1 - momentum)
        update = orthogonalized(gradient.lerp(average, momentum))
        p.mul_(1 - lr * weight_decay)
        p.add_(update, alpha=-lr * max(1, p.shape[0] / p.shape[1]) ** 0.5)
