"""One thing to measure: ours and torch's ways of doing the same, what it must come to, and what it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from tools.kernel_bench.cost import Cost

BACKENDS = {
    "torch cuDNN": SDPBackend.CUDNN_ATTENTION,
    "torch FlashAttention": SDPBackend.FLASH_ATTENTION,
    "torch efficient": SDPBackend.EFFICIENT_ATTENTION,
    "torch math": SDPBackend.MATH,
}


@dataclass(frozen=True)
class Way:
    """A function that does the work, and a context to do it in."""

    name: str
    run: Callable[[], Any]
    within: Callable[[], Any] = contextlib.nullcontext
    simulated: bool = True  # else it needs a GPU

    @property
    def is_ours(self) -> bool:
        """Whether this repository's kernels do it."""
        return not self.name.startswith("torch")


@dataclass(frozen=True)
class Case:
    """`ways` return tensors that `exact` returns in float64; where that takes too much memory, a sample of them.

    `sample` turns what a way returns into what `exact` returns.
    """

    kernel: str
    what: str  # forward or backward
    size: dict[str, Any]  # for the table: n, d, causal ...
    cost: Cost
    ways: list[Way]
    exact: Callable[[], list[Tensor]]
    sample: Callable[[list[Tensor]], list[Tensor]] = field(default=lambda results: results)

    def without(self, names: Collection[str]) -> Case:
        """The same, some ways left out."""
        return replace(self, ways=[way for way in self.ways if way.name not in names])


@dataclass(frozen=True)
class Plan:
    """Where and how large: on a GPU, or the dry run's few numbers in the simulator."""

    device: str
    dry: bool
    dtype: torch.dtype = torch.bfloat16
    lengths: tuple[int, ...] = (512, 1024, 2048, 4096, 8192, 16384)
    dims: tuple[int, ...] = (64, 128)

    def pick(self, full: Any, dry: Any) -> Any:
        """A size for a GPU, or for the dry run."""
        return dry if self.dry else full

    def numbers(self, *shape: int, seed: int = 0) -> Tensor:
        """Normal numbers, the same each time."""
        generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(shape, generator=generator, device=self.device, dtype=torch.float32).to(self.dtype)


class Gradients:
    """The backward pass alone: the forward pass runs once, in the first call."""

    def __init__(self, function: Callable[..., Tensor], tensors: list[Tensor], dout: Tensor) -> None:
        self._function, self._dout = function, dout
        self._leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        self._out: Tensor | None = None

    def __call__(self) -> tuple[Tensor, ...]:
        if self._out is None:
            self._out = self._function(*self._leaves)
        return torch.autograd.grad(self._out, self._leaves, self._dout, retain_graph=True)

    def forget(self) -> None:
        """Let go of what the forward pass keeps."""
        self._out = None


def sdpa_within(backend: SDPBackend) -> Callable[[], Any]:
    """A context in which torch's attention uses one backend, or says that it cannot."""
    return lambda: sdpa_kernel(backend)


def as_list(result: Any) -> list[Tensor]:
    """The tensors that a way returned."""
    return [result] if isinstance(result, Tensor) else list(result)
