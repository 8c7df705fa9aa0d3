"""What the compiler makes of a kernel, on any machine: registers, spills, shared memory, special instructions.

    for kernel in compile_check("import torch; from kernels.softmax import softmax; softmax(torch.empty(64, 1000))"):
        print(kernel)

The code runs in a process of its own, where kernels are compiled for a GPU that need not be there and never launched.
In a shell: `python -m kernels.compile_check FILE.py 90` (80: A100, 90: H100 and H200, 100: B200); with `--all` instead
of a file, every kernel, dtype and tiling of this package (minutes).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARED_LIMIT = {80: 166_912, 86: 101_376, 89: 101_376, 90: 232_448, 100: 232_448}  # bytes a program may use
TENSOR_CORES = r"\b(?:HGMMA|[HIDQ]MMA|IGMMA|QGMMA|UTC\w*MMA)\b"  # by warp, by warpgroup (sm_90), by tcgen05 (sm_100)
TMA = r"\bUTMA(?:LDG|STG|REDG)\b"
FOLDER = Path(__file__).resolve().parents[1]


class CompileError(RuntimeError):
    """The compiler refused a kernel, or the code around it failed."""


class CompileTimeout(CompileError):
    """The compiler did not come to an end: mostly a tile that is far too large."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled kernel's resources, for each program; registers are for each thread, instructions as written."""

    kernel: str
    arch: int
    threads: int
    registers: int
    stack_bytes: int
    spill_stores: int
    spill_loads: int
    shared_bytes: int
    tensor_core: int
    tma: int
    async_copies: int
    register_changes: int  # warps that hand registers to others (setmaxnreg): specialised ones

    @property
    def fits(self) -> bool:
        """Whether there is that much shared memory; the compiler does not ask unless it sees a GPU."""
        return self.shared_bytes <= SHARED_LIMIT[self.arch]

    @property
    def spills(self) -> int:
        """Instructions that move a register to memory or back."""
        return self.spill_stores + self.spill_loads

    def __str__(self) -> str:
        shared = f"{self.shared_bytes:,} B shared{'' if self.fits else ' (TOO MUCH)'}"
        special = f"{self.tensor_core} tensor-core, {self.tma} TMA, {self.async_copies} cp.async"
        special += f", {self.register_changes} setmaxnreg" if self.register_changes else ""
        used = f"{self.threads} threads, {self.registers} registers, {self.spills} spills"
        return f"{self.kernel} for sm_{self.arch}: {used}, {shared}, {special}"


def compile_check(code: str, arch: int = 90, timeout: float = 120) -> list[Compiled]:
    """Compile every kernel that some Python code launches; in the order of the launches, each configuration once.

    Tensors may be empty and on the CPU: only dtypes, strides and divisibility by 16 matter.
    Errors: CompileError with what was said last, CompileTimeout, ValueError for an unknown architecture.
    """
    if arch not in SHARED_LIMIT:
        raise ValueError(f"sm_{arch} is not known here: one of {sorted(SHARED_LIMIT)}")
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "launches.py"), Path(folder, "result.json")
        source.write_text(code, encoding="utf-8")
        _run([str(source), str(arch), str(result)], folder, timeout)
        return [Compiled(**entry) for entry in json.loads(result.read_text(encoding="utf-8"))]


def _run(arguments: list[str], cache: str, timeout: float) -> None:
    """Run this module in a process group of its own, of which nothing is left: ptxas outlives its parent."""
    path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": cache, "TRITON_DEFAULT_FP_FUSION": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "kernels.compile_check", *arguments]
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        said = child.communicate(timeout=timeout)[1]
    except subprocess.TimeoutExpired:
        raise CompileTimeout(f"not compiled after {timeout:g} s: are the tiles too large?") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode:
        raise CompileError("\n".join(said.strip().splitlines()[-12:]))


# The rest runs in that process.


class _NoDriver:
    """Stands for a GPU of some architecture, as far as compiling asks."""

    def __init__(self, arch: int) -> None:
        from triton.backends.compiler import GPUTarget

        self.target = GPUTarget("cuda", arch, 32)

    def get_current_target(self) -> Any:
        return self.target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _device: int = 0) -> int:
        return 0

    def get_benchmarker(self) -> Any:
        """Every configuration of an autotuned kernel is equally fast, so the first is taken."""
        return lambda run, **_named: (run(), [1.0, 1.0, 1.0])[1]


@contextlib.contextmanager
def _compile_only(arch: int) -> Iterator[dict[str, Any]]:
    """Within, a launch compiles; yields the compiled kernels by the hash of what went into each."""
    from triton.runtime import driver
    from triton.runtime.jit import JITFunction

    from kernels import _backend

    compiled: dict[str, Any] = {}
    original = JITFunction.run

    def run(self: Any, *args: Any, grid: Any, warmup: bool = False, **named: Any) -> Any:
        kernel = original(self, *args, grid=grid, warmup=True, **named)
        return compiled.setdefault(kernel.hash, kernel)

    driver.set_active(_NoDriver(arch))
    JITFunction.run = run
    _backend._simulate = lambda kernel, grid, args, named: kernel[grid](*args, **named)
    yield compiled


def _tool(name: str, *arguments: str) -> str:
    import triton

    path = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / name
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout


def _resources(kernel: Any, arch: int) -> Compiled:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        usage, instructions = _tool("cuobjdump", "-res-usage", file.name), _tool("nvdisasm", "-c", file.name)
    found = re.search(r"REG:(\d+) STACK:(\d+)", usage)
    threads = re.search(r"\.reqntid (\d+)", kernel.asm["ptx"])
    assert found is not None
    assert threads is not None

    def count(pattern: str) -> int:
        return len(re.findall(pattern, instructions))

    return Compiled(
        kernel=kernel.metadata.name,
        arch=arch,
        threads=int(threads[1]),
        registers=int(found[1]),
        stack_bytes=int(found[2]),
        spill_stores=count(r"\bSTL\b"),
        spill_loads=count(r"\bLDL\b"),
        shared_bytes=kernel.metadata.shared,
        tensor_core=count(TENSOR_CORES),
        tma=count(TMA),
        async_copies=count(r"\bLDGSTS\b"),
        register_changes=count(r"\bUSETMAXREG\b"),
    )


def main(source: str, arch: str = "90", result: str | None = None) -> None:
    """Compile what a file launches, or with --all everything that ships; write the resources as JSON, or print them."""
    with _compile_only(int(arch)) as compiled:
        if source == "--all":
            runpy.run_module("kernels.shipped")["everything"]()
        else:
            runpy.run_path(source, run_name="launches")
    kernels = [_resources(kernel, int(arch)) for kernel in compiled.values()]
    if result:
        Path(result).write_text(json.dumps([dataclasses.asdict(kernel) for kernel in kernels]), encoding="utf-8")
    else:
        print(*kernels, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
