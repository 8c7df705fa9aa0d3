"""The tensors of a launch: which addresses are theirs, which elements were touched, by which programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from kernels.simulator.errors import OutOfBounds, Race
from kernels.simulator.source import current_line

NOBODY, SEVERAL = -1, -2
VERBS = {"load": "reads", "store": "writes", "atomic": "updates"}


class Region:
    """One tensor: the addresses of its elements, and who touched which."""

    def __init__(self, name: str, tensor: torch.Tensor) -> None:
        self.name, self.shape = name, tuple(tensor.shape)
        self.start, self.item = tensor.data_ptr(), tensor.element_size()
        self.storage = tensor.untyped_storage().data_ptr()  # where the memory begins that views of it share
        steps = [(size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)]
        self.span = sum(steps) + 1 if tensor.numel() else 0  # from the first element to the last, in elements
        self.size = tensor.numel() * self.item
        self.inside = _elements_of_view(tensor, self.span)
        self.read, self.written = np.zeros(self.span, bool), np.zeros(self.span, bool)
        self.reader, self.writer = np.full(self.span, NOBODY, np.int32), np.full(self.span, NOBODY, np.int32)
        self.atomic = np.zeros(self.span, bool)  # the last writer's update was atomic
        self.readers = 0  # a bit for each program that read it

    def elements(self, addresses: np.ndarray, item: int) -> np.ndarray:
        """Which elements lie at some addresses, for accesses of `item` bytes each; may be outside."""
        offsets = addresses - self.start
        if item > self.item:  # a pointer that was cast to a wider type
            offsets = (offsets[:, None] + np.arange(0, item, self.item)).ravel()
        return offsets // self.item

    def outside(self, elements: np.ndarray) -> np.ndarray:
        """The elements that are none of the tensor's."""
        bad = (elements < 0) | (elements >= self.span)
        if self.inside is not None:
            bad |= ~self.inside[np.where(bad, 0, elements)]
        return elements[bad]

    def note(self, kind: str, elements: np.ndarray) -> None:
        """Remember which elements were read and written at all."""
        if kind != "store":
            self.read[elements] = True
        if kind != "load":
            self.written[elements] = True

    def __str__(self) -> str:
        return f"{self.name} {self.shape}"


def _elements_of_view(tensor: torch.Tensor, span: int) -> np.ndarray | None:
    """Which elements between the first and the last belong to a view; None if all do."""
    if tensor.numel() == span:
        return None
    inside = torch.zeros(span, dtype=torch.bool)
    inside.as_strided(tensor.shape, tensor.stride()).fill_(True)
    return inside.numpy()


def distinct(addresses: np.ndarray) -> np.ndarray:
    """The different addresses, ascending; quick where they already are, as those of a row-major tile."""
    ascending = (addresses[1:] > addresses[:-1]).all()
    return addresses if ascending else np.unique(addresses)


def find(regions: Sequence[Region], addresses: np.ndarray) -> Region:
    """The tensor that a pointer of unknown origin points into: the smallest that holds all, else the nearest."""
    low, high = int(addresses.min()), int(addresses.max())

    def distance(region: Region) -> tuple[int, int]:
        end = region.start + region.span * region.item
        return max(region.start - low, 0) + max(high - end + 1, 0), region.span

    if not regions:
        raise OutOfBounds(f"{current_line()}: a pointer is used, but the kernel was given no tensor")
    return min(regions, key=distance)


def out_of_bounds(kind: str, region: Region, bad: np.ndarray, total: int, program: str) -> OutOfBounds:
    """The error for elements that are none of a tensor's."""
    between = 0 <= bad[0] < region.span
    what = "it lies between the elements of this view" if between else f"the last is {region.span - 1}"
    return OutOfBounds(
        f"{program}, {current_line()}: {VERBS[kind]} {bad.size} of {total} elements outside of {region}. "
        f"Offset {int(bad[0])} from its first element was asked for; {what}. Is the mask missing, or wrong?"
    )


class RaceDetector:
    """Finds elements that two programs of one launch touch, where one of them writes.

    Programs run one after the other here; on a GPU they run in any order. A program that does an atomic operation on an
    integer (a lock, a counter; not `relaxed`) comes after those which did one on the same integer before.
    """

    def __init__(self, grid: tuple[int, int, int]) -> None:
        self._grid = grid
        self._before: dict[int, int] = {}  # program -> bits of the programs that it surely comes after
        self._passed: dict[tuple[str, int], int] = {}  # integer in memory -> bits of the programs that came through it

    def check(self, kind: str, region: Region, elements: np.ndarray, program: int) -> None:
        """Note an access. Raises Race if it is one."""
        writers = region.writer[elements]
        if kind == "atomic":
            writers = np.where(region.atomic[elements], NOBODY, writers)
        self._require_order(kind, "writes", region, writers, program)
        if kind == "load":
            self._note_reader(region, elements, program)
            return
        self._require_order(kind, "reads", region, region.reader[elements], program)
        region.writer[elements] = program
        region.atomic[elements] = kind == "atomic"

    def synchronise(self, region: Region, elements: np.ndarray, program: int) -> None:
        """A program passes through locks or counters."""
        for element in elements.tolist():
            key = (region.name, element)
            known = self._before.get(program, 0) | self._passed.get(key, 0)
            self._before[program] = known
            self._passed[key] = known | 1 << program

    def _note_reader(self, region: Region, elements: np.ndarray, program: int) -> None:
        readers = region.reader[elements]
        region.reader[elements] = np.where((readers == NOBODY) | (readers == program), program, SEVERAL)
        region.readers |= 1 << program

    def _require_order(self, kind: str, does: str, region: Region, others: np.ndarray, program: int) -> None:
        others = others[(others != NOBODY) & (others != program)]
        if others.size == 0:
            return
        bits = 0
        for other in np.unique(others).tolist():
            bits |= region.readers if other == SEVERAL else 1 << other
        if bits & ~self._before.get(program, 0) & ~(1 << program):
            raise self._race(kind, does, region, int(others[0]), program)

    def _race(self, kind: str, does: str, region: Region, other: int, program: int) -> Race:
        also = " too" if kind == "store" and does == "writes" else ""
        who = "another program" if other == SEVERAL else f"program {coordinates(other, self._grid)}"
        return Race(
            f"program {coordinates(program, self._grid)}, {current_line()}: {VERBS[kind]} an element of {region} that "
            f"{who} {does}{also}. On a GPU programs run at the same time, in no order: which one wins is luck."
        )


def coordinates(program: int, grid: tuple[int, int, int]) -> tuple[int, int, int]:
    """The place in the grid of the n-th program that a GPU starts: the first axis runs fastest."""
    return program % grid[0], program // grid[0] % grid[1], program // (grid[0] * grid[1])


def tensors_in(name: str, value: Any) -> list[tuple[str, torch.Tensor]]:
    """The tensors of an argument: itself, those of a tuple, that of a tensor descriptor."""
    if isinstance(value, torch.Tensor):
        return [(name, value)]
    if isinstance(value, tuple):
        return [found for i, item in enumerate(value) for found in tensors_in(f"{name}[{i}]", item)]
    base = getattr(value, "base", None)  # a tensor descriptor, or a tensor that is read as another dtype
    return tensors_in(name, base) if base is not None else []
