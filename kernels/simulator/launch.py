"""Running a grid of programs, and catching launches."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction

from kernels._backend import say_simulated
from kernels.simulator.arguments import bind, values_of
from kernels.simulator.builder import LONGEST_AXES, Builder
from kernels.simulator.errors import DeviceAssert, OutOfBounds, Race
from kernels.simulator.host import HostCopies
from kernels.simulator.language import Patches, interpreted
from kernels.simulator.memory import Region, tensors_in
from kernels.simulator.tiles import Tile
from kernels.simulator.trace import Counter, Trace
from kernels.simulator.versions import interpreter

# Everything here replaces parts of Triton for a while, for the whole process: one thread at a time.
_lock = threading.RLock()
_recorders: list[_Recorder] = []


@dataclasses.dataclass
class _Recorder:
    races: bool | None
    requests: bool | None
    traces: list[Trace] = dataclasses.field(default_factory=list)


def _option(name: str, otherwise: bool) -> bool:
    """What the innermost recorder that says anything about an option says."""
    said = [value for recorder in _recorders if (value := getattr(recorder, name)) is not None]
    return said[-1] if said else otherwise


def simulate(
    kernel: Any, grid: Any, *, races: bool | None = None, requests: bool | None = None
) -> Callable[..., Trace]:
    """`simulate(kernel, grid)(*args)` does what `kernel[grid](*args)` does, on the CPU, and returns a Trace.

    `kernel` is any @triton.jit function, autotuned (its first configuration that is not pruned is taken) or with
    heuristics; how TRITON_INTERPRET was set does not matter. Tensors on a GPU are copied to the CPU and back.
    `races=False` looks for no races (quicker); `requests=True` keeps each request, for Trace.cache; what is not said is
    as in the `record` around it.
    Raises OutOfBounds, Race or DeviceAssert, and whatever else goes wrong in a program, with a note which program.
    """

    def launch(*args: Any, **named: Any) -> Trace:
        with record(races=races, requests=requests) as traces:
            kernel[grid](*args, **named)
        return traces[-1]

    return launch


@contextmanager
def record(*, races: bool | None = None, requests: bool | None = None) -> Iterator[list[Trace]]:
    """Within, every launch of a kernel by this thread runs in the simulator; yields the list of their traces.

    One in which something was found wrong leaves its trace up to there.
    One thread at a time: others that want in wait. Afterwards Triton is as it was. While a launch runs, no other thread
    may compile a kernel, for `triton.language` is replaced.
    """
    recorder = _Recorder(races, requests)
    with _lock:
        patches = Patches()
        _recorders.append(recorder)
        try:
            if len(_recorders) == 1:
                _catch_launches(patches)
            yield recorder.traces
        finally:
            patches.restore()
            _recorders.pop()


def install() -> None:
    """From now on every launch whose tensors are not on a GPU runs here, as within `record`; says so at the first one.

    For notebooks: `kernel[grid](...)` works without a GPU, whatever was imported before and however TRITON_INTERPRET
    was set; with tensors on a GPU it runs compiled. To do it twice is to do it once. `record` works as before.
    """
    with _lock:
        for kind in (JITFunction, interpreter.InterpretedFunction, Autotuner):
            if not hasattr(kind.run, "simulates"):
                kind.run = _here_or_on_the_gpu(kind.run)


def _here_or_on_the_gpu(original: Callable) -> Callable:
    @functools.wraps(original)
    def run(self: Any, *args: Any, **named: Any) -> Any:
        if named.get("warmup") or _on_a_gpu((*args, *named.values())):
            return original(self, *args, **named)
        say_simulated()
        with record():
            return self.run(*args, **named)  # which `record` has replaced

    run.simulates = True
    return run


def _on_a_gpu(values: tuple) -> bool:
    return any(tensor.device.type == "cuda" for value in values for _, tensor in tensors_in("", value))


def _catch_launches(patches: Patches) -> None:
    owner = threading.get_ident()
    for kind, replacement in (
        (JITFunction, _run),
        (interpreter.InterpretedFunction, _run),
        (Autotuner, _run_first_configuration),
    ):
        patches.set_attr(kind, "run", _for_thread(owner, replacement, kind.run))


def _for_thread(owner: int, replacement: Callable, original: Callable) -> Callable:
    def run(self: Any, *args: Any, **named: Any) -> Any:
        return (replacement if threading.get_ident() == owner else original)(self, *args, **named)

    return run


def _run_first_configuration(self: Autotuner, *args: Any, **named: Any) -> Any:
    """There is nothing to time here, so an autotuned kernel runs with the first configuration that is not pruned."""
    self.nargs = dict(zip(self.arg_names, args, strict=False))
    config = (self.prune_configs(named) if len(self.configs) > 1 else self.configs)[0]
    self.best_config = config
    if config.pre_hook is not None:
        config.pre_hook({**self.nargs, **named, **config.all_kwargs()})
    return self.fn.run(*args, **named, **config.all_kwargs())


def _run(self: Any, *args: Any, grid: Any, warmup: bool = False, **named: Any) -> None:
    """What a launch does while it is caught."""
    if warmup:
        return
    if Tile.meter is not None:
        raise RuntimeError("a kernel cannot launch another: launch it from Python, after this one")
    arguments = bind(self.fn, args, named)
    trace = Trace(self.fn.__name__, _grid(grid, {**arguments, **named}))
    for recorder in _recorders:
        recorder.traces.append(trace)
    with HostCopies() as host:
        _execute(self.fn, {name: host.of(value) for name, value in arguments.items()}, trace)


def _grid(grid: Any, arguments: dict[str, Any]) -> tuple[int, int, int]:
    """The grid's three sizes. Raises ValueError for one that a GPU does not take."""
    sizes = grid(arguments) if callable(grid) else grid
    sizes = tuple(int(size) for size in (sizes if isinstance(sizes, tuple | list) else (sizes,)))
    full = (*sizes, 1, 1, 1)[: max(3, len(sizes))]
    if len(full) > 3 or any(not 0 <= size <= most for size, most in zip(full, LONGEST_AXES, strict=True)):
        raise ValueError(f"a grid has one to three axes, of at most {LONGEST_AXES} programs, not {sizes}")
    return full


def _execute(function: Any, arguments: dict[str, Any], trace: Trace) -> None:
    """Run all programs of a grid, one after the other, in the order in which a GPU starts them, and fill the trace."""
    found = itertools.chain.from_iterable(tensors_in(name, value) for name, value in arguments.items())
    regions = {name: Region(name, tensor) for name, tensor in found}
    counter = Counter(trace, list(regions.values()), _option("requests", False))
    builder = Builder(list(regions.values()), counter, trace.grid, _option("races", True))
    with interpreted(builder) as function_of, np.errstate(all="ignore"):
        program, values = function_of(function), values_of(function, arguments, regions)
        try:
            for number in range(math.prod(trace.grid)):
                builder.begin(number)
                _run_program(program, values, builder)
        finally:  # what was found wrong leaves a trace of what came before
            trace.peak_tile_bytes = Tile.meter.peak if Tile.meter else 0
            counter.finish()


def _run_program(program: Callable[..., Any], values: dict[str, Any], builder: Builder) -> None:
    try:
        program(**values)
    except (OutOfBounds, Race, DeviceAssert):
        raise  # they say where
    except Exception as error:
        error.add_note(f"in program {builder.grid_idx} of the grid {builder.grid_dim}")
        raise
