"""What the rungs share on the host: checks, tensor descriptors, tilings, and the choice among them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels._backend import triton
from kernels.flash_attention import LOG2_E, _require

SMS = 132  # of an H100 and an H200; for tensors in main memory, where there is nothing to ask
ALIGNMENT = 16  # bytes: of an address and of strides, for the copy engine


class Tiling(NamedTuple):
    """Queries and keys of a tile, warps of a program, tiles of keys on their way at once."""

    BM: int
    BN: int
    warps: int
    stages: int


# The first is the one without trials (and in the simulator). Those for 2 bytes compile for sm_90 without spilled
# registers; float32 has no tensor cores, and its tiles in registers spill.
TILINGS = {
    (2, 64): [Tiling(128, 64, 4, 3), Tiling(128, 128, 8, 3), Tiling(128, 64, 8, 3), Tiling(64, 128, 4, 3)],
    (2, 128): [Tiling(128, 128, 8, 2), Tiling(128, 64, 8, 3), Tiling(64, 64, 4, 3)],
    (2, 256): [Tiling(64, 64, 8, 2)],
    (4, 64): [Tiling(64, 32, 8, 2)],
    (4, 128): [Tiling(32, 16, 8, 2)],
    (4, 256): [Tiling(32, 16, 8, 2)],
}


def tilings(d: int, item: int) -> list[Tiling]:
    """The tilings to try for numbers of so many bytes and heads of so many."""
    return TILINGS[item, max(64, triton.next_power_of_2(d))]


@functools.lru_cache(maxsize=64)
def _autotuned(kernel: Any, tried: tuple[Tiling, ...], shape_blocks: Callable[[dict], None] | None) -> Any:
    configs = [
        triton.Config({"BM": bm, "BN": bn}, num_warps=warps, num_stages=stages, pre_hook=shape_blocks)
        for bm, bn, warps, stages in tried
    ]
    return triton.autotune(configs, key=["queries", "keys", "CAUSAL"])(kernel)


def choose(
    kernel: Any, tried: list[Tiling], tiling: Tiling | None, shape_blocks: Callable[[dict], None] | None = None
) -> tuple[Any, dict[str, Any]]:
    """(kernel, options): with the tiling given, or an autotuned kernel that tries several, once for each size.

    `shape_blocks` gives the tensor descriptors among the arguments the tiles' shapes, when these are known.
    """
    if tiling is None:
        return _autotuned(kernel, tuple(tried), shape_blocks), {}
    bm, bn, warps, stages = tiling
    return kernel, {"BM": bm, "BN": bn, "num_warps": warps, "num_stages": stages}


def shape_blocks(arguments: dict[str, Any]) -> None:
    """Give the descriptors q, k, v and out the shapes of their tiles."""
    for name, rows in (("q", "BM"), ("k", "BN"), ("v", "BN"), ("out", "BM")):
        arguments[name].block_shape = [1, 1, arguments[rows], arguments["BD"]]


def described(tensor: Tensor, rows: int, columns: int) -> Any:
    """A tensor descriptor of (batch, heads, n, d) for tiles of some rows of one head.

    What a tile has beyond the tensor's end is zero when it is loaded and dropped when it is stored. A copy is made of
    a view that the copy engine cannot read: its strides are not multiples of 16 bytes, or zero.
    """
    from triton.tools.tensor_descriptor import TensorDescriptor

    steps = [stride for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]
    good = tensor.stride(3) == 1 and all(step > 0 for step in steps) and tensor.data_ptr() % ALIGNMENT == 0
    if not good or any(stride * tensor.element_size() % ALIGNMENT for stride in tensor.stride()[:3]):
        tensor = tensor.clone(memory_format=torch.contiguous_format)
    return TensorDescriptor.from_tensor(tensor, [1, 1, rows, columns])


def results(q: Tensor) -> tuple[Tensor, Tensor]:
    """Room for the result and for log2 of each query's sum of exponentials, as if no key were seen."""
    out = torch.zeros(q.shape, dtype=q.dtype, device=q.device)
    return out, torch.full(q.shape[:3], -torch.inf, dtype=torch.float32, device=q.device)


def factor_of(scale: float | None, d: int) -> float:
    """What turns a dot of query and key into an exponent of two. Raises ValueError unless it is positive."""
    if scale is not None and not scale > 0:
        raise ValueError(f"the tuned kernels need a scale above 0, not {scale:g}")
    return (d**-0.5 if scale is None else scale) * LOG2_E


def require(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> None:
    """`flash_attention`'s checks, and that rows have whole multiples of 16 bytes."""
    _require(q, k, v, causal, None)
    if q.shape[3] * q.element_size() % ALIGNMENT:
        raise ValueError(f"a row has a multiple of 16 bytes, not {q.shape[3]} x {q.element_size()}")


def sms_of(tensor: Tensor) -> int:
    """How many programs a GPU runs at once, if each takes one of its multiprocessors."""
    return torch.cuda.get_device_properties(tensor.device).multi_processor_count if tensor.is_cuda else SMS
