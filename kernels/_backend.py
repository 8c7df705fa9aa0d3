"""Where kernels run: compiled on a GPU, or in Triton's interpreter on machines that have none.

Triton reads TRITON_INTERPRET twice: when it is imported (for `tl.sum` and the like, which are kernels themselves) and
at each `@triton.jit`. So the choice is made here, before the first import, and cannot be changed afterwards.
"""

import os
import sys
from collections.abc import Container, MutableMapping
from types import SimpleNamespace
from typing import Any

import torch

SWITCH = "TRITON_INTERPRET"
INSTALL = (
    "Triton is not installed, so this kernel cannot run. On Linux: `pip install triton` (torch with CUDA brings its "
    "own). On macOS and Windows, work in a container or on a Linux machine; the plain torch version runs everywhere."
)
TOO_LATE = (
    "Triton was imported before `kernels`, and is set to compile for a GPU, but this machine has none or the tensor is "
    "not on it. Restart the Jupyter kernel (or Python) and run `import kernels` first, in the first cell: an "
    "optimizer's step and torch.compile import Triton too. With a GPU, move the tensor there: x.cuda()."
)
CHANGED = f"{SWITCH} was changed after Triton was imported. Restart, and set it before the first import."


def choose(environment: MutableMapping[str, str], imported: Container[str], has_gpu: bool) -> None:
    """Switch the interpreter on if there is no GPU, unless somebody has chosen already or it is too late."""
    if not has_gpu and "triton" not in imported:
        environment.setdefault(SWITCH, "1")


choose(os.environ, sys.modules, torch.cuda.is_available())
try:
    import triton
    import triton.language as tl
except ImportError:  # kernels can be imported and read everywhere; `require` tells what is missing when one is called
    triton = SimpleNamespace(jit=lambda function: function)
    tl = SimpleNamespace(constexpr=int)


def is_interpreted(kernel: Any) -> bool:
    """Whether a kernel was made for the interpreter."""
    return type(kernel).__name__ == "InterpretedFunction"


def require(kernel: Any, x: torch.Tensor) -> None:
    """Make sure that a kernel can run on a tensor. Raises ImportError or RuntimeError that say what to do."""
    if isinstance(triton, SimpleNamespace):
        raise ImportError(INSTALL)
    if is_interpreted(kernel) != is_interpreted(tl.sum):
        raise RuntimeError(CHANGED)
    if not is_interpreted(kernel) and not x.is_cuda:
        raise RuntimeError(TOO_LATE)
