"""Attention, forward and backward: the teaching kernel, every rung of the ladder, each backend of torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.flash_attention import attention_reference
from kernels.flash_attention_backward import flash_attention_with_gradients
from kernels.tuned import LADDER, tuned_attention_with_gradients
from tools.kernel_bench import cost
from tools.kernel_bench.case import BACKENDS, Case, Gradients, Plan, Way, sdpa_within

TOKENS, HIDDEN = 16_384, 2048  # in a batch, in all heads: what papers on attention measure
OURS = {"teaching": flash_attention_with_gradients, "tuned": tuned_attention_with_gradients}


def cases(plan: Plan) -> Iterator[Case]:
    """Forward and backward, every length, d and mask; made one by one, for the memory's sake."""
    for n, d, causal in itertools.product(plan.lengths, plan.dims, (False, True)):
        for make in (_forward, _backward):
            yield make(plan, _qkv(plan, n, d), causal)


def _qkv(plan: Plan, n: int, d: int) -> list[Tensor]:
    shape = plan.pick((max(1, TOKENS // n), HIDDEN // d, n, d), (1, 2, n, d))
    return [plan.numbers(*shape, seed=seed) for seed in range(3)]


def _forward(plan: Plan, tensors: list[Tensor], causal: bool) -> Case:
    q = tensors[0]
    ways = [
        Way(rung.name, partial(_first, rung.attend, *tensors, causal=causal), simulated=rung.simulated)
        for rung in LADDER
    ]
    ways += [
        Way(name, partial(F.scaled_dot_product_attention, *tensors, is_causal=causal), sdpa_within(backend))
        for name, backend in BACKENDS.items()
    ]
    size = cost.attention(q.shape[0] * q.shape[1], q.shape[2], q.shape[3], q.element_size(), causal)
    return Case("flash_attention", "forward", _size(q, causal), size, ways, _exact(tensors, causal), _one_head)


def _backward(plan: Plan, tensors: list[Tensor], causal: bool) -> Case:
    q, dout = tensors[0], plan.numbers(*tensors[0].shape, seed=3)
    ways = [Way(name, Gradients(partial(f, causal=causal), tensors, dout)) for name, f in OURS.items()]
    torchs = partial(F.scaled_dot_product_attention, is_causal=causal)
    ways += [Way(name, Gradients(torchs, tensors, dout), sdpa_within(backend)) for name, backend in BACKENDS.items()]
    size = cost.attention_backward(q.shape[0] * q.shape[1], q.shape[2], q.shape[3], q.element_size(), causal)
    return Case("flash_attention", "backward", _size(q, causal), size, ways, _exact(tensors, causal, dout), _one_head)


def _first(function: Callable[..., Any], *args: Tensor, **named: Any) -> Tensor:
    return function(*args, **named)[0]


def _size(q: Tensor, causal: bool) -> dict[str, Any]:
    batch, heads, n, d = q.shape
    return {"batch": batch, "heads": heads, "n": n, "d": d, "causal": causal}


def _one_head(results: list[Tensor]) -> list[Tensor]:
    """The first head of the first sequence: of all, a matrix of scores in float64 would fill the memory."""
    return [tensor[:1, :1] for tensor in results]


def _exact(tensors: list[Tensor], causal: bool, dout: Tensor | None = None) -> Callable[[], list[Tensor]]:
    def exact() -> list[Tensor]:
        leaves = [tensor.double().requires_grad_(dout is not None) for tensor in _one_head(tensors)]
        out = attention_reference(*leaves, causal=causal)
        return [out] if dout is None else list(torch.autograd.grad(out, leaves, _one_head([dout])[0].double()))

    return exact
