"""The versions of Triton that the simulator is tested with, and the private module of theirs that it builds on."""

import re

import triton

from kernels.simulator.errors import UnsupportedTriton

OLDEST, NEWEST = (3, 6), (3, 9)


def require_supported(version: str) -> None:
    """Raise UnsupportedTriton unless a version is from 3.6 to 3.9.

    The simulator replaces parts of Triton's interpreter that are no public interface, so another version may compute
    something else without an error. The tests in tests/kernels/simulator tell whether one may be added.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or not OLDEST <= (int(found[1]), int(found[2])) <= NEWEST:
        raise UnsupportedTriton(
            f"Kernels can be simulated with Triton 3.6 to 3.9; installed is {version}. "
            "Install one that fits: pip install 'triton>=3.6,<3.10' (with a GPU, kernels run compiled on any version)."
        )


require_supported(triton.__version__)

from triton.runtime import interpreter  # noqa: E402  only a version that we know is looked into

__all__ = ["interpreter", "require_supported"]
