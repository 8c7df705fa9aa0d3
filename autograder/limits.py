"""What a submission may use while it is graded. A lesson that needs more says so: `LIMITS` in its exercises' module."""

from __future__ import annotations

import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Time in seconds, sizes in MiB, for one submission."""

    cell_seconds: float = 30.0
    case_seconds: float = 10.0
    notebook_seconds: float = 600.0  # everything together, restarts included
    memory_mb: int = 4096  # of all its processes together
    processes: int = 64  # and threads
    scratch_mb: int = 256  # files of its own, and /dev/shm
    file_mb: int = 64  # one file
    output_mb: int = 8  # what one cell may show

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"the limit {name} should be more than 0, but it is {value}")


def limits_of(lesson: str) -> Limits:
    """The limits of a lesson; the usual ones if it sets none or is not known."""
    try:
        module = importlib.import_module(f"autograder.exercises.{lesson}")
    except ModuleNotFoundError:
        return Limits()
    return getattr(module, "LIMITS", Limits())
