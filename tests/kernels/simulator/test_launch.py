"""Launches: any kernel, whatever TRITON_INTERPRET was, and Triton as it was before afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch
import triton
import triton.language as tl
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction

from kernels._backend import SIMULATED
from kernels.simulator import Race, UnsupportedTriton, record, simulate
from kernels.simulator.host import HostCopies
from kernels.simulator.versions import interpreter, require_supported


@triton.jit
def double_kernel(x, n, B: tl.constexpr = 32):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(x + i, tl.load(x + i, mask=i < n) * 2, mask=i < n)


def test_record_catches_ordinary_launches():
    x = torch.ones(40)
    with record() as traces:
        double_kernel[(2,)](x, 40)
        double_kernel[2](x, 40, B=32, num_warps=2)
        double_kernel[lambda meta: (triton.cdiv(meta["n"], meta["B"]),)](x, n=40)
    assert x.tolist() == [8.0] * 40
    assert [trace.grid for trace in traces] == [(2, 1, 1)] * 3


def test_records_within_records():
    x = torch.ones(4)
    with record() as outer:
        double_kernel[(1,)](x, 4)
        with record() as inner:
            simulate(double_kernel, (1,))(x, 4)
        double_kernel[(1,)](x, 4)
    assert (len(outer), len(inner)) == (3, 1)
    assert x[0] == 8


def test_options_not_given_are_those_of_the_record_around():
    @triton.jit
    def race(x):
        tl.store(x, 1.0)

    with record(races=False, requests=True) as traces:
        simulate(race, (2,))(torch.zeros(1))
        with pytest.raises(Race):
            simulate(race, (2,), races=True, requests=False)(torch.zeros(1))
        simulate(double_kernel, (1,), requests=False)(torch.zeros(4), 4)
    assert [trace.requests is None for trace in traces] == [False, True, True]  # what failed left one too


OWNERS = [tl, tl.core, tl.math, tl.tensor, tl.dtype, tl.core.tensor_descriptor_base, JITFunction, Autotuner]
OWNERS += [interpreter, interpreter.InterpretedFunction, interpreter.InterpreterBuilder]
OWNERS += [interpreter.TensorDescHandle, interpreter.ReduceScanOpInterface]


@triton.jit
def failing_kernel(x):
    tl.device_assert(tl.max(tl.load(x + tl.arange(0, 4)), 0) > 5, "no")


@pytest.mark.parametrize("kernel", [double_kernel, failing_kernel], ids=lambda kernel: kernel.__name__)
def test_afterwards_nothing_is_patched(kernel):
    before = [dict(vars(owner)) for owner in OWNERS]
    try:
        simulate(kernel, (1,))(torch.zeros(4), *([4] if kernel is double_kernel else []))
    except AssertionError:
        assert kernel is failing_kernel
    assert [dict(vars(owner)) for owner in OWNERS] == before


def test_nothing_is_left_in_the_kernels_module():
    before = set(globals())
    simulate(double_kernel, (1,))(torch.zeros(4), 4)
    assert set(globals()) == before


PROGRAM = """
    import os
    {before}
    import triton, triton.language as tl
    {between}
    import sys; sys.path.insert(0, {folder!r})
    from order_of_import import kernel
    {after}
    import torch
    from kernels.simulator import simulate
    x, y = torch.arange(8.0), torch.zeros(1)
    for _ in range(2):
        simulate(kernel, (1,))(x, y, 8)
        assert y.item() == 28 + 7 + 3, y
        {compile}
    print("done")
"""
KERNEL = """
import triton, triton.language as tl
@triton.jit
def kernel(x, y, N: tl.constexpr):
    v = tl.load(x + tl.arange(0, N))
    tl.store(y, tl.sum(v, 0) + tl.max(v, 0) + tl.cdiv(N, 3) + tl.sum(tl.zeros([N], tl.float32), 0))
"""
COMPILE = (
    "from triton.compiler import ASTSource; from triton.backends.compiler import GPUTarget; "
    "source = ASTSource(kernel, {'x': '*fp32', 'y': '*fp32', 'N': 'constexpr'}, {'N': 8}); "
    "assert 'tt.reduce' in triton.compile(source, target=GPUTarget('cuda', 80, 32)).asm['ttir']"
)
ON, OFF = "os.environ['TRITON_INTERPRET'] = '1'", "os.environ.pop('TRITON_INTERPRET', None)"
ORDERS = {
    "never set": (OFF, "", "", COMPILE),
    "set first": (ON, "", "", ""),
    "set after the import of triton": (OFF, ON, "", ""),
    "set, then unset after the kernel": (ON, "", OFF, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_imports_does_not_matter(order, tmp_path):
    before, between, after, compiling = ORDERS[order]
    (tmp_path / "order_of_import.py").write_text(KERNEL)
    parts = {"before": before, "between": between, "after": after, "compile": compiling, "folder": str(tmp_path)}
    code = textwrap.dedent(PROGRAM).format(**parts)
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.stdout == "done\n", done.stderr


def test_another_threads_launches_are_not_caught():
    caught = []

    def launch():
        try:
            double_kernel[(1,)](torch.zeros(4), 4)
        except Exception as error:  # without a GPU Triton finds no driver; with one, no tensor on it
            caught.append(type(error))

    with record() as traces:
        thread = threading.Thread(target=launch)
        thread.start()
        thread.join()
    assert traces == []
    assert caught != []


def test_threads_wait_for_each_other():
    tensors = [torch.ones(64) for _ in range(4)]
    threads = [threading.Thread(target=simulate(double_kernel, (2,)), args=(x, 64)) for x in tensors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(x.tolist() == [2.0] * 64 for x in tensors)


def test_a_kernel_cannot_launch_another():
    @triton.jit
    def kernel(x):
        double_kernel[(1,)](x, 4)

    with pytest.raises(RuntimeError, match="cannot launch another"):
        simulate(kernel, (1,))(torch.zeros(4))


def test_an_error_in_a_program_says_in_which():
    @triton.jit
    def kernel(x):
        tl.store(x, undefined_name)  # noqa: F821

    with pytest.raises(NameError) as caught:
        simulate(kernel, (2, 3))(torch.zeros(4))
    assert caught.value.__notes__ == ["in program (0, 0, 0) of the grid (2, 3, 1)"]


def test_arguments_that_do_not_fit():
    with pytest.raises(TypeError, match="missing a required argument: 'n'"):
        simulate(double_kernel, (1,))(torch.zeros(4))
    with pytest.raises(TypeError, match="BLOCK: neither a parameter of double_kernel nor an option of a launch"):
        simulate(double_kernel, (1,))(torch.zeros(4), 4, BLOCK=4)


@pytest.mark.parametrize("grid", [(1, 1, 1, 1), (-1,), (1, 65_536)])
def test_grids_that_no_gpu_takes(grid):
    with pytest.raises(ValueError, match="one to three axes"):
        simulate(double_kernel, grid)(torch.zeros(4), 4)


def test_the_first_axis_of_the_grid_runs_fastest():
    @triton.jit
    def kernel(order, counter):
        turn = tl.atomic_add(counter, 1)
        tl.store(order + turn, tl.program_id(0) * 100 + tl.program_id(1) * 10 + tl.program_id(2))

    order = torch.zeros(8, dtype=torch.int32)
    simulate(kernel, (2, 2, 2))(order, torch.zeros(1, dtype=torch.int32))
    assert order.tolist() == [0, 100, 10, 110, 1, 101, 11, 111]


def test_views_of_one_storage_stay_views_of_one_on_the_host():
    memory = torch.arange(10.0)
    with HostCopies(devices=()) as host:  # as if the CPU were a GPU
        x, pair = host.of(memory[2:6]), host.of((memory[::2], 7))
        assert x.tolist() == [2, 3, 4, 5]
        assert pair[1] == 7
        x += 10
        assert pair[0].tolist() == [0, 12, 14, 6, 8]
        assert memory[2] == 2
    assert memory.tolist() == [0, 1, 12, 13, 14, 15, 6, 7, 8, 9]


@pytest.mark.parametrize("version", ["3.6.0", "3.7.1", "3.9.0", "3.9.1+git123"])
def test_versions_that_are_tested(version):
    require_supported(version)


@pytest.mark.parametrize("version", ["3.5.1", "3.10.0", "4.0.0", "unknown"])
def test_versions_that_are_not(version):
    with pytest.raises(UnsupportedTriton, match=r"3\.6 to 3\.9; installed is .* pip install 'triton>=3\.6,<3\.10'"):
        require_supported(version)


INSTALLED = """
import threading, torch, triton, triton.language as tl
from kernels.notebook import without_gpu
from kernels.simulator import record

assert without_gpu() and without_gpu()

@triton.jit
def increment(x, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(x + i, tl.load(x + i, mask=i < n) + 1, mask=i < n)

tuned = triton.autotune([triton.Config({"B": 32}), triton.Config({"B": 64})], key=["n"])(increment)
xs = [torch.zeros(100) for _ in range(3)]
threads = [threading.Thread(target=lambda x=x: [increment[(4,)](x, 100, B=32) for _ in range(3)]) for x in xs]
[thread.start() for thread in threads]
with record() as traces:
    increment[(4,)](xs[0], 100, B=32)
    tuned[lambda meta: (triton.cdiv(100, meta["B"]),)](xs[0], 100)
[thread.join() for thread in threads]
print([x.sum().item() for x in xs], len(traces))
"""


@pytest.mark.parametrize("interpret", ["0", "1"])
def test_once_installed_every_launch_without_a_gpu_runs_here(tmp_path, interpret):
    (tmp_path / "cell.py").write_text(INSTALLED)
    environment = {**os.environ, "TRITON_INTERPRET": interpret}
    ran = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "cell.py"], capture_output=True, text=True, env=environment
    )
    assert ran.stdout.splitlines() == [SIMULATED, "[500.0, 300.0, 300.0] 2"], ran.stderr
