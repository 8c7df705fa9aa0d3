"""Triton for a notebook: `from kernels.notebook import tl, triton, without_gpu`.

Where Triton is not installed (macOS, Windows) `triton` and `tl` are stand-ins with which kernels can be written and
read; a launch says what is missing.
"""

import torch

from kernels._backend import INSTALL, TritonMissing, require_triton, say_simulated, tl, triton

__all__ = ["TritonMissing", "require_triton", "tl", "triton", "without_gpu"]


def without_gpu() -> bool:
    """Have `kernel[grid](...)` run in the simulator where no tensor is on a GPU. Whether kernels can run here at all.

    Where Triton is missing, or is none that the simulator knows, it says what to do.
    """
    try:
        require_triton()
        from kernels.simulator import install
    except TritonMissing:
        print(INSTALL)
        return False
    except ImportError as error:
        print(error)
        return False
    install()
    if not torch.cuda.is_available():
        say_simulated()
    return True
