"""Launches of every kernel of this package, for `kernels.compile_check`: on tensors that hold nothing.

`few` launches what CI compiles, each kernel in the configurations that are most at risk; `everything` each kernel in
every dtype and with every tiling that ships, which takes minutes. Neither is for tensors that are worked on.
"""

from __future__ import annotations

import torch

from kernels.cross_entropy import cross_entropy
from kernels.flash_attention import flash_attention
from kernels.flash_attention_backward import flash_attention_with_gradients
from kernels.int8_matmul import int8_matmul
from kernels.layer_norm import layer_norm
from kernels.matmul import matmul
from kernels.nf4_matmul import nf4_matmul
from kernels.online_softmax import online_softmax
from kernels.paged_decode import paged_decode
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax
from kernels.tuned import LADDER, Tiling, attend_backward_tuned
from kernels.tuned import backward as tuned_backward
from kernels.tuned._host import tilings
from kernels.vector_add import add

HALF, SINGLE = torch.bfloat16, torch.float32
RUNGS = {rung.name: rung.attend for rung in LADDER}


def least() -> None:
    """The kernels with dots that are most sensitive to the architecture."""
    for d in (64, 128):
        _attention(HALF, d)
    matmul(torch.empty(256, 128, dtype=HALF), torch.empty(128, 256, dtype=HALF))


def few() -> None:
    """Each kernel at least once."""
    least()
    _attention(SINGLE, 128)
    rows = torch.empty(256, 8192)
    add(rows, rows)
    online_softmax(rows)
    _decode(HALF, 128)
    _quantised(64, HALF)
    _norms(SINGLE)
    cross_entropy(rows.to(HALF).requires_grad_(), torch.zeros(256, dtype=torch.int64)).backward()
    for d in (64, 128):
        _gradients(HALF, d)


def tuned() -> None:
    """The rungs that have kernels of their own and the tuned gradients, each with its first tiling."""
    RUNGS["descriptors"](*_qkv(HALF, 128), causal=True, tiling=tilings(128, 2)[0])
    for d in (64, 128):
        RUNGS["persistent"](*_qkv(HALF, d), causal=True, tiling=tilings(d, 2)[0])
        RUNGS["specialised"](*_qkv(HALF, d), causal=True)
        RUNGS["ping-pong"](*_qkv(HALF, d), causal=True)
        _tuned_gradients(HALF, d, *(tried[0] for tried in tuned_backward.TILINGS[2, d]))


def everything() -> None:
    """Every kernel, dtype and tiling that ships."""
    few()
    softmax(torch.empty(64, 4096))
    for dtype in (HALF, SINGLE):
        _decode(dtype, 64)
        for rows in (16, 64):
            _quantised(rows, dtype)
        _norms(dtype)
        for d in (64, 128, 256):
            _attention(dtype, d)
            if (dtype, d) != (SINGLE, 256):  # some registers spill there
                _gradients(dtype, d)
    for d in (64, 128, 256):
        _every_tiling(HALF, d)  # in float32 they spill


def _every_tiling(dtype: torch.dtype, d: int) -> None:
    item = dtype.itemsize
    for name in ("autotuned", "descriptors", "folded", "persistent"):
        for tiling in tilings(d, item):
            for causal in (False, True):
                RUNGS[name](*_qkv(dtype, d), causal=causal, tiling=tiling)
    for name in ("specialised", "ping-pong"):
        for causal in (False, True):
            RUNGS[name](*_qkv(dtype, d), causal=causal)
    for by_keys, by_queries in zip(*tuned_backward.TILINGS[item, d], strict=True):
        _tuned_gradients(dtype, d, by_keys, by_queries)


def _qkv(dtype: torch.dtype, d: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.empty(1, 2, 256, d, dtype=dtype) for _ in range(3))


def _attention(dtype: torch.dtype, d: int) -> None:
    flash_attention(*_qkv(dtype, d), causal=True)


def _gradients(dtype: torch.dtype, d: int) -> None:
    q, k, v = _qkv(dtype, d)
    flash_attention_with_gradients(q.requires_grad_(), k, v, causal=True).sum().backward()


def _tuned_gradients(dtype: torch.dtype, d: int, by_keys: Tiling, by_queries: Tiling) -> None:
    q, k, v = _qkv(dtype, d)
    lse = torch.empty(q.shape[:3])
    attend_backward_tuned(q, k, v, q, lse, q, causal=True, tiling=(by_keys, by_queries))


def _decode(dtype: torch.dtype, d: int) -> None:
    places = torch.zeros(4, 64, dtype=torch.int32), torch.zeros(4, dtype=torch.int32)
    pages = torch.empty(9, 16, 8, d, dtype=dtype)
    paged_decode(torch.empty(4, 32, d, dtype=dtype), pages, pages, *places)


def _quantised(rows: int, dtype: torch.dtype) -> None:
    codes, absmax = torch.empty(256, 256, dtype=torch.uint8), torch.empty(256, 8)
    int8_matmul(torch.empty(rows, 256, dtype=dtype), codes.view(torch.int8), absmax[:, 0])
    nf4_matmul(torch.empty(rows, 512, dtype=dtype), codes, absmax)


def _norms(dtype: torch.dtype) -> None:
    x, weight = torch.zeros(4, 8192, dtype=dtype), torch.zeros(8192, dtype=dtype)
    layer_norm(x.requires_grad_(), weight, weight).sum().backward()
    rms_norm(x, weight).sum().backward()
