"""Where kernels run: compiled on a GPU, or in the simulator for tensors that are not on one.

A kernel is an ordinary @triton.jit function. `launch(kernel, grid)(...)` stands for `kernel[grid](...)` in this
package, so that the same call works on a laptop.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

INSTALL = (
    "Triton is not installed, so this kernel cannot run. On Linux: `pip install triton` (torch with CUDA brings its "
    "own). On macOS and Windows, work in a container or on a Linux machine; the plain torch version runs everywhere."
)
GPU_ONLY = "{} is written in Gluon, which the simulator cannot run: it needs a GPU (sm_90)."
SIMULATED = "Triton kernels on tensors in main memory run in a simulator: right, but slow. Keep them small."


class TritonMissing(ImportError):
    """A kernel should run, and Triton is not installed; the message says what can be done."""


class _Unrunnable:
    """A kernel where there is no Triton: it can be defined and read, and says what is missing when it is launched."""

    def __init__(self, function: Callable) -> None:
        self.fn, self.__name__, self.__doc__ = function, function.__name__, function.__doc__

    def __getitem__(self, grid: Any) -> Any:
        raise TritonMissing(INSTALL)

    def __call__(self, *args: Any, **named: Any) -> Any:
        raise TritonMissing(INSTALL)


try:
    import triton
    import triton.language as tl
except ImportError:  # kernels can be imported and read everywhere; `launch` tells what is missing when one is called
    triton = SimpleNamespace(
        jit=_Unrunnable, cdiv=lambda a, b: -(-a // b), next_power_of_2=lambda n: 1 << (n - 1).bit_length()
    )
    tl = SimpleNamespace(constexpr=int)

_said: list[str] = []


def require_triton() -> None:
    """Raise TritonMissing where Triton is not installed."""
    if isinstance(triton, SimpleNamespace):
        raise TritonMissing(INSTALL)


def say_simulated() -> None:
    """Say, once in a process, that kernels run in the simulator."""
    if not _said:
        _said.append(SIMULATED)
        print(SIMULATED)


def launch(kernel: Any, grid: Any) -> Callable[..., Any]:
    """`launch(kernel, grid)(*args)` runs `kernel[grid](*args)`: compiled if a tensor is on a GPU, else simulated.

    Errors: ImportError without Triton; NotImplementedError for Gluon without a GPU; ValueError for tensors on different
    devices; what the simulator finds.
    """
    require_triton()

    def run(*args: Any, **named: Any) -> Any:
        devices = {value.device for value in (*args, *named.values()) if isinstance(value, torch.Tensor)}
        if len(devices) > 1:
            raise ValueError(f"the tensors are on different devices: {', '.join(sorted(map(str, devices)))}")
        if any(device.type == "cuda" for device in devices) and not is_interpreted(kernel):
            return kernel[grid](*args, **named)
        return _simulate(kernel, grid, args, named)

    return run


def is_interpreted(kernel: Any) -> bool:
    """Whether a kernel was defined while TRITON_INTERPRET was set, so that it cannot be compiled."""
    return type(kernel).__name__ == "InterpretedFunction"


def _simulate(kernel: Any, grid: Any, args: tuple, named: dict[str, Any]) -> Any:
    if type(kernel).__name__ == "GluonJITFunction":
        raise NotImplementedError(GPU_ONLY.format(kernel.fn.__name__))
    from kernels.simulator import simulate  # knows some versions of Triton only, which a GPU does not need

    say_simulated()
    return simulate(kernel, grid)(*args, **named)
