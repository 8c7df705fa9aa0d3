"""Values of a running program: arrays that know into which tensor they point, and how much of them is alive."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import triton.language as tl

from kernels.simulator.memory import Region
from kernels.simulator.versions import interpreter


class TileMeter:
    """How many bytes of floating-point tiles one program keeps at once: what registers and SRAM would have to hold.

    Views (a transpose, a broadcast) share the bytes of what they look at. Values die when Python drops them, a little
    later than a compiler would, so the peak is an upper bound.
    """

    def __init__(self) -> None:
        self.live = 0
        self.peak = 0
        self._owners: dict[int, int] = {}  # id of an array's memory -> values that use it

    def born(self, memory: np.ndarray) -> None:
        """A value begins to use an array's memory."""
        users = self._owners.get(id(memory), 0)
        self._owners[id(memory)] = users + 1
        if not users:
            self.live += memory.nbytes
            self.peak = max(self.peak, self.live)

    def died(self, memory: np.ndarray) -> None:
        """A value ends that used an array's memory."""
        users = self._owners.pop(id(memory)) - 1
        if users:
            self._owners[id(memory)] = users
        else:
            self.live -= memory.nbytes


def _memory(data: np.ndarray) -> np.ndarray:
    while isinstance(data.base, np.ndarray):
        data = data.base
    return data


class Tile(interpreter.TensorHandle):
    """The interpreter's value (`data`, an array, and `dtype`); pointers know the tensor that they point into."""

    meter: ClassVar[TileMeter | None] = None  # of the launch that runs
    origin: Region | None = None
    _counted: tuple[TileMeter, np.ndarray] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if Tile.meter is not None and self.data.size > 1 and self.dtype.scalar.is_floating():
            self._counted = (Tile.meter, _memory(self.data))
            Tile.meter.born(self._counted[1])

    def __del__(self) -> None:
        if self._counted is not None:
            self._counted[0].died(self._counted[1])


def bytes_of(tile: Tile | None) -> int:
    """What a tile adds to the meter by itself."""
    counted = getattr(tile, "_counted", None)
    return counted[1].nbytes if counted else 0


def pointing(tile: Tile, origin: Region | None) -> Tile:
    """The same tile, marked as pointers into a tensor."""
    tile.origin = origin
    return tile


def as_mask(mask: Tile | np.ndarray) -> Tile:
    """A mask as a tile; tensor descriptors of Triton before 3.9 bring a bare array."""
    return mask if isinstance(mask, interpreter.TensorHandle) else Tile(mask, tl.int1)
