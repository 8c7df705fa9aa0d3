"""From the teaching kernel to a tuned one, one idea a file: attention's forward pass as a ladder, and its gradients.

All rungs take and return the same, `rung.attend(q, k, v, causal=..., scale=..., tiling=...) -> (out, lse)`:

* q (batch, heads, queries, d), k and v (batch, kv_heads, keys, d), as `kernels.flash_attention` takes them: heads is a
  multiple of kv_heads, any lengths, `causal` with the last query at the last key, d from 16 to 256. But a row is a
  multiple of 16 bytes, `scale` is above 0, and there is no window. A view that the copy engine cannot read is copied.
* float32, float16 or bfloat16, the same for all; scores and sums are float32.
* out is like q, contiguous; lse (batch, heads, queries) float32 is log2 of each query's sum of exponentials of two,
  -inf for one that sees no key, whose out is 0.
* `tiling` is a Tiling(queries, keys, warps, stages). Without one, all that are listed for d and dtype are tried on a
  GPU, once for each pair of lengths; in the simulator the first is taken. The last two rungs have one of their own.
* The last rung is for float16 and bfloat16 and needs a GPU of sm_90: the simulator cannot run its language, so its
  numbers can only be checked there.
* ValueError for shapes, devices, options; TypeError for dtypes. There is no gradient: see backward.py.

Operations and bytes are those of the teaching kernel, `kernels.flash_attention`, with the tiling's sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from kernels.flash_attention import attend as _attend
from kernels.tuned._host import Tiling
from kernels.tuned.autotuned import attend_autotuned
from kernels.tuned.backward import attend_backward_tuned, tuned_attention_with_gradients
from kernels.tuned.descriptors import attend_by_descriptors
from kernels.tuned.folded import attend_folded
from kernels.tuned.persistent import attend_persistent
from kernels.tuned.specialised import attend_specialised

__all__ = ["LADDER", "Rung", "Tiling", "attend_backward_tuned", "tuned_attention_with_gradients"]


class Rung(NamedTuple):
    """One step of the ladder: its name, what it adds to the one before, and the function."""

    name: str
    adds: str
    attend: Callable[..., tuple[Tensor, Tensor]]
    simulated: bool = True  # else it needs a GPU of sm_90


def _teaching(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    tiling: Tiling | None = None,
) -> tuple[Tensor, Tensor]:
    """The kernel of flash_attention.py; of a tiling it takes the tile's sizes."""
    return _attend(q, k, v, causal=causal, window=None, scale=scale, tiles=tiling and tiling[:2])


def _ping_pong(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
    """The kernel of ping_pong.py, whose language not every Triton has."""
    from kernels.tuned.ping_pong import attend_ping_pong

    return attend_ping_pong(q, k, v, **options)


LADDER = [
    Rung("teaching", "exp2; masks only where they are needed; heavy tiles first", _teaching),
    Rung("autotuned", "tiles, warps and stages found by trying", attend_autotuned),
    Rung("descriptors", "tiles come and go by the copy engine (TMA)", attend_by_descriptors),
    Rung("folded", "one multiply-add from score to exponent", attend_folded),
    Rung("persistent", "programs that stay and take tile after tile", attend_persistent),
    Rung("specialised", "warps that only copy, warps that only compute", attend_specialised),
    Rung("ping-pong", "two groups of warps take turns at the tensor cores (Gluon)", _ping_pong, simulated=False),
]
