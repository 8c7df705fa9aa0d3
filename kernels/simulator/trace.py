"""What a launch moved and computed, counted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kernels.simulator.memory import Region
from kernels.simulator.source import Line
from kernels.simulator.tiles import Tile

SECTOR = 32  # bytes: the least that a GPU moves between its memory and its L2 cache
CACHE_LINE = 128
MOST_LINES = 40  # bits for the number of a line within its storage


@dataclass
class TensorTraffic:
    """What programs asked for of one tensor, in bytes. `size` is the tensor's own."""

    size: int
    read: int = 0
    written: int = 0
    requests: int = 0
    sector_bytes: int = 0
    distinct_read: int = 0
    distinct_written: int = 0


@dataclass
class LineTraffic:
    """What one line of a kernel asked for of one tensor; `kind` is load, store or atomic."""

    line: Line
    tensor: str
    kind: str
    requests: int = 0
    bytes: int = 0
    sector_bytes: int = 0

    def __str__(self) -> str:
        share = 100 * self.bytes / self.sector_bytes
        return (
            f"  line {self.line.number:4d}  {self.kind:6s} {self.tensor:10s} {self.requests:7d} x  {self.bytes:11,d} B "
            f"{share:4.0f} % of its sectors   {self.line.text[:80]}"
        )


class Request(NamedTuple):
    """One load, store or atomic update of a tile: from its first to its last element in the tensor, in what bytes.

    `on_chip` are the bytes of floating-point tiles that the program kept when it asked.
    """

    kind: str
    tensor: str
    first: int
    last: int
    bytes: int
    on_chip: int
    lines: np.ndarray  # of the cache


class CacheTraffic(NamedTuple):
    """What passes between a cache and the memory behind it, in bytes, and the share of lines found in the cache."""

    read: int
    written: int
    hit_rate: float


@dataclass
class Trace:
    """What one launch moved and computed.

    Bytes are what tiles ask for, each element of a request once: what papers count as HBM accesses, before any cache.
    A read-modify-write (atomic) counts as read and as written. Masked elements count nothing.
    """

    kernel: str
    grid: tuple[int, int, int]
    tensors: dict[str, TensorTraffic] = field(default_factory=dict)
    lines: list[LineTraffic] = field(default_factory=list)  # in the order in which they first ran
    dot_flops: int = 0  # multiplications and additions of tl.dot
    vector_flops: int = 0  # float additions, multiplications, comparisons ... outside of it, one each; a sum of n is n
    exps: int = 0  # exponentials and logarithms
    peak_tile_bytes: int = 0  # floating-point tiles alive at once, the most of any program
    requests: list[list[Request]] | None = field(default=None, repr=False)  # of each program, if they were kept

    @property
    def bytes_read(self) -> int:
        """Bytes that all programs load."""
        return sum(tensor.read for tensor in self.tensors.values())

    @property
    def bytes_written(self) -> int:
        """Bytes that all programs store."""
        return sum(tensor.written for tensor in self.tensors.values())

    @property
    def bytes(self) -> int:
        """Bytes loaded and stored."""
        return self.bytes_read + self.bytes_written

    @property
    def compulsory_bytes(self) -> int:
        """The least that this work must move: each byte that was touched once, each way."""
        return sum(tensor.distinct_read + tensor.distinct_written for tensor in self.tensors.values())

    @property
    def sector_bytes(self) -> int:
        """Bytes of the 32-byte sectors that the requests touch: what memory really delivers."""
        return sum(tensor.sector_bytes for tensor in self.tensors.values())

    @property
    def coalescing(self) -> float:
        """Which share of the delivered sectors was asked for: 1 for contiguous tiles, 1/8 for lone float32."""
        asked = sum(line.bytes for line in self.lines)
        return asked / self.sector_bytes if self.sector_bytes else 1.0

    @property
    def flops(self) -> int:
        """Floating-point operations in and outside of tl.dot, without exponentials."""
        return self.dot_flops + self.vector_flops

    @property
    def intensity(self) -> float:
        """FLOPs for each byte."""
        return self.flops / self.bytes if self.bytes else 0.0

    def cache(self, capacity: int, programs_at_once: int) -> CacheTraffic:
        """Replay the launch through a fully associative LRU cache with lines of 128 bytes that writes back.

        Programs start in launch order, `programs_at_once` at a time, and make one request each in turn. Needs
        `simulate(..., requests=True)`.
        """
        if self.requests is None:
            raise ValueError("the requests were not kept: simulate(kernel, grid, requests=True)")
        cache = _Cache(max(1, capacity // CACHE_LINE))
        waiting = [iter(requests) for requests in self.requests][::-1]
        running: list = []
        while waiting or running:
            while waiting and len(running) < programs_at_once:
                running.append(waiting.pop())
            running = [program for program in running if cache.request(next(program, None))]
        return cache.traffic()

    def __str__(self) -> str:
        head = (
            f"{self.kernel}, grid {self.grid}: {self.bytes_read:,} B read + {self.bytes_written:,} B written "
            f"(at least {self.compulsory_bytes:,}), coalescing {100 * self.coalescing:.0f} %\n"
            f"  {self.dot_flops:,} FLOP in dots, {self.vector_flops:,} outside, {self.exps:,} exps, "
            f"{self.intensity:.1f} FLOP/B; tiles of at most {self.peak_tile_bytes / 1024:.1f} KiB"
        )
        tensors = [
            f"  {name:10s} {tensor.size:11,d} B: {tensor.read:,} read, {tensor.written:,} written"
            for name, tensor in self.tensors.items()
        ]
        return "\n".join([head, *tensors, *map(str, self.lines)])


class _Cache:
    """Least recently used lines go first; a changed line is written when it goes."""

    def __init__(self, lines: int) -> None:
        self._capacity = lines
        self._changed: OrderedDict[int, bool] = OrderedDict()
        self._hits = self._read = self._written = self._total = 0

    def request(self, request: Request | None) -> bool:
        """Serve one request; False for a program that has no more."""
        if request is None:
            return False
        for line in request.lines.tolist():
            self._touch(line, request.kind != "load")
        return True

    def _touch(self, line: int, writes: bool) -> None:
        self._total += 1
        hit = line in self._changed
        self._hits += hit
        self._read += not hit and not writes
        self._changed[line] = self._changed.pop(line, False) or writes
        if len(self._changed) > self._capacity:
            self._written += self._changed.popitem(last=False)[1]

    def traffic(self) -> CacheTraffic:
        """What passed, with the changed lines that are still there written back."""
        written = self._written + sum(self._changed.values())
        return CacheTraffic(self._read * CACHE_LINE, written * CACHE_LINE, self._hits / max(1, self._total))


class Counter:
    """Fills a trace while the launch runs."""

    def __init__(self, trace: Trace, regions: list[Region], keep_requests: bool) -> None:
        self.trace, self._regions = trace, regions
        trace.tensors = {region.name: TensorTraffic(region.size) for region in regions}
        trace.requests = [] if keep_requests else None
        storages = list(dict.fromkeys(region.storage for region in regions))
        self._number = {storage: number for number, storage in enumerate(storages)}
        self._lines: dict[tuple[Line, str, str], LineTraffic] = {}

    def begin_program(self) -> None:
        """The next program starts."""
        if self.trace.requests is not None:
            self.trace.requests.append([])

    def count(self, kind: str, region: Region, addresses: np.ndarray, item: int, line: Line, filling: int = 0) -> None:
        """Count one request: different addresses, ascending, `item` bytes at each.

        `filling` bytes of tiles only say what masked elements become: no chip would keep them.
        """
        size = addresses.size * item
        sectors = _count_blocks(addresses, SECTOR) * SECTOR
        tensor = self.trace.tensors[region.name]
        tensor.requests += 1
        tensor.read += size * (kind != "store")
        tensor.written += size * (kind != "load")
        tensor.sector_bytes += sectors
        self._count_line(LineTraffic(line, region.name, kind, 1, size, sectors))
        if self.trace.requests is not None:
            first, last = ((int(addresses[i]) - region.start) // region.item for i in (0, -1))
            on_chip = Tile.meter.live - filling if Tile.meter else 0
            lines = self._cache_lines(region, addresses)
            self.trace.requests[-1].append(Request(kind, region.name, first, last, size, on_chip, lines))

    def _cache_lines(self, region: Region, addresses: np.ndarray) -> np.ndarray:
        """The lines that addresses fall into. A storage begins with a line, as on a GPU: here it may lie anywhere."""
        return np.unique((addresses - region.storage) // CACHE_LINE) + (self._number[region.storage] << MOST_LINES)

    def _count_line(self, new: LineTraffic) -> None:
        known = self._lines.setdefault((new.line, new.tensor, new.kind), LineTraffic(new.line, new.tensor, new.kind))
        known.requests += new.requests
        known.bytes += new.bytes
        known.sector_bytes += new.sector_bytes

    def finish(self) -> None:
        """The launch is over."""
        self.trace.lines = list(self._lines.values())
        for region in self._regions:
            tensor = self.trace.tensors[region.name]
            tensor.distinct_read = int(region.read.sum()) * region.item
            tensor.distinct_written = int(region.written.sum()) * region.item


def _count_blocks(addresses: np.ndarray, block: int) -> int:
    """How many blocks ascending addresses fall into."""
    blocks = addresses // block
    return 1 + int(np.count_nonzero(blocks[1:] != blocks[:-1]))
