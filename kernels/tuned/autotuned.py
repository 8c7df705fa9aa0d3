"""First rung: the teaching kernel, with tiles, warps and stages found by trying.

What changes: nothing in the kernel. Why it should pay: a wider tile reads keys and values less often, more warps share
its registers, more stages hide more of the memory's delay; but all of that has to fit into one multiprocessor at once,
and which of it is worth most depends on d, on the lengths and on the GPU.
"""

from __future__ import annotations

from torch import Tensor

from kernels._backend import launch, triton
from kernels.flash_attention import _flash_forward
from kernels.tuned._host import Tiling, choose, factor_of, require, results, tilings
from kernels.tuned.descriptors import grid_of


def attend_autotuned(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    tiling: Tiling | None = None,
) -> tuple[Tensor, Tensor]:
    """(out, lse) of attention; shapes, dtypes and errors as of `kernels.tuned.attend`."""
    require(q, k, v, causal)
    q, k, v = (tensor if tensor.stride(3) == 1 else tensor.contiguous() for tensor in (q, k, v))
    out, lse = results(q)
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    kernel, options = choose(_flash_forward, tilings(d, q.element_size()), tiling)
    factor = factor_of(scale, d)
    if out.numel() and k.numel():
        launch(kernel, grid_of(batch, heads, queries))(
            q, k, v, out, lse, *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *out.stride()[:3],
            heads, heads // kv_heads, queries, keys, factor, d,
            BD=max(16, triton.next_power_of_2(d)), WINDOW=0, CAUSAL=causal, PRECISION="ieee", **options,
        )  # fmt: skip
    return out, lse
