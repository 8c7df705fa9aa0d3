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

try:
    import triton
    import triton.language as tl
except ImportError:  # kernels can be imported and read everywhere; `launch` tells what is missing when one is called
    triton = SimpleNamespace(
        jit=lambda function: function, cdiv=lambda a, b: -(-a // b), next_power_of_2=lambda n: 1 << (n - 1).bit_length()
    )
    tl = SimpleNamespace(constexpr=int)

_said: list[str] = []


def launch(kernel: Any, grid: Any) -> Callable[..., Any]:
    """`launch(kernel, grid)(*args)` runs `kernel[grid](*args)`: compiled if a tensor is on a GPU, else simulated.

    Errors: ImportError without Triton; NotImplementedError for Gluon without a GPU; ValueError for tensors on different
    devices; what the simulator finds.
    """
    if isinstance(triton, SimpleNamespace):
        raise ImportError(INSTALL)

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

    if not _said:
        _said.append(SIMULATED)
        print(SIMULATED)
    return simulate(kernel, grid)(*args, **named)
