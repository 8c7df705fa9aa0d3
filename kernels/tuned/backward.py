"""FlashAttention's gradients, tuned: no mask where none is needed, tiles by descriptors, tilings that do not spill.

What changes against flash_attention_backward.py: tiles of which every query sees every key have a loop of their own,
which compares no places; tiles come and go through the copy engine; the scale is folded into the exponent; the two
kernels have tilings of their own, found by trying. Why it should pay: a mask costs several instructions for each of the
n * m scores, in both kernels; and registers that hold addresses are missing for the two accumulators of the kernel of
keys, which at d = 128 leave hardly any.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels.flash_attention import LOG2_E, _keys_of, _sees
from kernels.tuned._host import Tiling, choose, described, factor_of, require
from kernels.tuned.persistent import attend_persistent

# For (the kernel of keys, the kernel of queries); the first of each is the one without trials.
TILINGS = {
    (2, 64): ([Tiling(64, 64, 4, 2), Tiling(32, 128, 8, 2)], [Tiling(128, 64, 8, 2), Tiling(64, 64, 4, 2)]),
    (2, 128): ([Tiling(64, 64, 8, 2), Tiling(64, 64, 8, 3)], [Tiling(128, 64, 8, 2), Tiling(64, 64, 8, 2)]),
    (2, 256): ([Tiling(32, 32, 8, 2)], [Tiling(64, 32, 8, 2)]),
    (4, 64): ([Tiling(32, 32, 8, 2)], [Tiling(32, 32, 8, 2)]),
    (4, 128): ([Tiling(16, 16, 8, 2)], [Tiling(16, 16, 8, 2)]),
    (4, 256): ([Tiling(16, 16, 8, 2)], [Tiling(16, 16, 8, 2)]),
}


@triton.jit
def _gradient_of_scores(
    q, k, v, dout, log_sum, delta, place, key, keys, scale,
    CAUSAL: tl.constexpr, MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """A tile of shares, and of the loss's gradient with respect to the scores that they come from."""
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
    shares = tl.exp2(scores * scale - log_sum[:, None])
    if MASKED:
        shares = tl.where(_sees(place[:, None], key[None, :], keys, 0, CAUSAL), shares, 0.0)
    dshares = tl.dot(dout, tl.trans(v), input_precision=PRECISION)
    return shares, shares * (dshares - delta[:, None])


@triton.jit
def _see_queries(
    k, v, dk, dv, q, dout, lse, delta, batch, head, statistics, start, key, queries, keys, scale,
    BM: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One step of the kernel of keys: BM more queries. Those beyond the last are zero, and add nothing."""
    row = start + tl.arange(0, BM)
    q_tile = q.load([batch, head, start, 0]).reshape(BM, BD)
    dout_tile = dout.load([batch, head, start, 0]).reshape(BM, BD)
    log_sum = tl.load(lse + statistics + row, mask=row < queries, other=0.0)
    own = tl.load(delta + statistics + row, mask=row < queries, other=0.0)
    shares, dscores = _gradient_of_scores(
        q_tile, k, v, dout_tile, log_sum, own, row + keys - queries, key, keys, scale, CAUSAL, MASKED, PRECISION
    )
    dv = tl.dot(tl.trans(shares.to(dout_tile.dtype)), dout_tile, dv, input_precision=PRECISION)
    dk = tl.dot(tl.trans(dscores.to(q_tile.dtype)), q_tile, dk, input_precision=PRECISION)
    return dk, dv


@triton.jit
def _tuned_backward_keys(
    q, k, v, dout, lse, delta, dk, dv, kv_heads, share, queries, keys, scale, score_scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * BN  # the first keys are seen by most queries: they start first
    batch, kv_head = tl.program_id(1) // kv_heads, tl.program_id(1) % kv_heads
    key = first + tl.arange(0, BN)
    k_tile = k.load([batch, kv_head, first, 0]).reshape(BN, BD)
    v_tile = v.load([batch, kv_head, first, 0]).reshape(BN, BD)
    dk_tile, dv_tile = tl.zeros([BN, BD], tl.float32), tl.zeros([BN, BD], tl.float32)
    begin, every_begin = 0, 0
    if CAUSAL:  # of tiles of queries: those that see any of these keys, those that see all
        begin = tl.maximum(0, first - (keys - queries)) // BM * BM
        every_begin = tl.cdiv(tl.maximum(0, tl.minimum(first + BN - 1 - (keys - queries), queries)), BM) * BM
    for other in range(0, share):  # the heads that share these keys: one program adds them up, no atomics
        head = kv_head * share + other
        statistics = (batch * kv_heads * share + head).to(tl.int64) * queries
        for start in range(begin, every_begin, BM):
            dk_tile, dv_tile = _see_queries(
                k_tile, v_tile, dk_tile, dv_tile, q, dout, lse, delta, batch, head, statistics, start, key,
                queries, keys, scale, BM, BD, CAUSAL, True, PRECISION,
            )  # fmt: skip
        for start in range(every_begin, queries, BM):
            dk_tile, dv_tile = _see_queries(
                k_tile, v_tile, dk_tile, dv_tile, q, dout, lse, delta, batch, head, statistics, start, key,
                queries, keys, scale, BM, BD, CAUSAL, False, PRECISION,
            )  # fmt: skip
    dk.store([batch, kv_head, first, 0], (dk_tile * score_scale).to(dk.dtype).reshape(1, 1, BN, BD))
    dv.store([batch, kv_head, first, 0], dv_tile.to(dv.dtype).reshape(1, 1, BN, BD))


@triton.jit
def _see_keys(
    dq, q, dout, log_sum, own, k, v, batch, kv_head, start, place, keys, scale,
    BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One step of the kernel of queries: BN more keys."""
    k_tile = k.load([batch, kv_head, start, 0]).reshape(BN, BD)
    v_tile = v.load([batch, kv_head, start, 0]).reshape(BN, BD)
    _shares, dscores = _gradient_of_scores(
        q, k_tile, v_tile, dout, log_sum, own, place, start + tl.arange(0, BN), keys, scale, CAUSAL, MASKED, PRECISION
    )
    return tl.dot(dscores.to(k_tile.dtype), k_tile, dq, input_precision=PRECISION)


@triton.jit
def _tuned_backward_queries(
    q, k, v, dout, lse, delta, dq, heads, share, queries, keys, scale, score_scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BM
    batch, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    row = first + tl.arange(0, BM)
    q_tile = q.load([batch, head, first, 0]).reshape(BM, BD)
    dout_tile = dout.load([batch, head, first, 0]).reshape(BM, BD)
    statistics = tl.program_id(1).to(tl.int64) * queries
    log_sum = tl.load(lse + statistics + row, mask=row < queries, other=0.0)
    own = tl.load(delta + statistics + row, mask=row < queries, other=0.0)
    dq_tile = tl.zeros([BM, BD], tl.float32)
    _begin, end, _every_begin, every_end = _keys_of(first, BM, queries, keys, 0, CAUSAL, BN)
    for start in range(0, every_end, BN):
        dq_tile = _see_keys(
            dq_tile, q_tile, dout_tile, log_sum, own, k, v, batch, head // share, start, row + keys - queries, keys,
            scale, BN, BD, CAUSAL, False, PRECISION,
        )  # fmt: skip
    for start in range(every_end, end, BN):
        dq_tile = _see_keys(
            dq_tile, q_tile, dout_tile, log_sum, own, k, v, batch, head // share, start, row + keys - queries, keys,
            scale, BN, BD, CAUSAL, True, PRECISION,
        )  # fmt: skip
    dq.store([batch, head, first, 0], (dq_tile * score_scale).to(dq.dtype).reshape(1, 1, BM, BD))


def _shape_blocks(arguments: dict[str, Any]) -> None:
    """Give the descriptors the shapes of their tiles."""
    for name, rows in (("q", "BM"), ("dout", "BM"), ("dq", "BM"), ("k", "BN"), ("v", "BN"), ("dk", "BN"), ("dv", "BN")):
        if name in arguments:
            arguments[name].block_shape = [1, 1, arguments[rows], arguments["BD"]]


def _launch(kernel: Any, tilings: list[Tiling], tiling: Tiling | None, grid: Any, *args: Any, **named: Any) -> None:
    """Launch with a tiling, or with the best of several on a GPU; `args` begins with q, k, v, dout, lse, delta."""
    bm, bn = (tiling or tilings[0])[:2]
    bd = max(16, triton.next_power_of_2(args[0].shape[3]))
    chosen, options = choose(kernel, tilings, tiling, _shape_blocks)
    rows = (bm, bn, bn, bm, None, None, *(bm if kernel is _tuned_backward_queries else bn for _ in args[6:8]))
    tensors = [
        value if size is None or not isinstance(value, Tensor) else described(value, size, bd)
        for value, size in zip(args, (*rows, *(None for _ in args[8:])), strict=True)
    ]
    launch(chosen, grid)(*tensors, BD=bd, PRECISION="ieee", **options, **named)


def attend_backward_tuned(
    q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, dout: Tensor, *,
    causal: bool = False, scale: float | None = None, tiling: tuple[Tiling, Tiling] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The gradients of q, k and v from the inputs and results of a rung and the gradient of its first result.

    `tiling` is that of the kernel of keys and that of the kernel of queries.
    """
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    dq, dk, dv = (torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device) for tensor in (q, k, v))
    if not dq.numel() or not dk.numel():
        return dq, dk, dv
    delta = (out.float() * dout.float()).sum(-1)  # of each query: the mean of its shares' gradients, by the shares
    by_keys, by_queries = TILINGS[q.element_size(), max(64, triton.next_power_of_2(d))]
    inputs = (q, k, v, dout, lse, delta)
    scales = (factor_of(scale, d), factor_of(scale, d) / LOG2_E)
    sizes = (heads // kv_heads, queries, keys, *scales)
    first, second = tiling or (None, None)
    _launch(
        _tuned_backward_keys, by_keys, first, lambda o: (triton.cdiv(keys, o["BN"]), batch * kv_heads),
        *inputs, dk, dv, kv_heads, *sizes, CAUSAL=causal,
    )  # fmt: skip
    _launch(
        _tuned_backward_queries, by_queries, second, lambda o: (triton.cdiv(queries, o["BM"]), batch * heads),
        *inputs, dq, heads, *sizes, CAUSAL=causal,
    )  # fmt: skip
    return dq, dk, dv


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        out, lse = attend_persistent(q, k, v, **options)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.options = options | {"tiling": options["tiling"] and (options["tiling"],) * 2}
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        return (*attend_backward_tuned(*ctx.saved_tensors, dout, **ctx.options), None)


def tuned_attention_with_gradients(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    tiling: Tiling | None = None,
) -> Tensor:
    """Attention by the fourth rung, with gradients for q, k and v; shapes, dtypes and errors as of `kernels.tuned`.

    Operations and bytes are as in flash_attention_backward.py; `tiling` is that of all three kernels.
    Source: Dao 2023, "FlashAttention-2", algorithm 2.
    """
    require(q, k, v, causal)
    factor_of(scale, q.shape[3])
    return _Attention.apply(q, k, v, {"causal": causal, "scale": scale, "tiling": tiling})
