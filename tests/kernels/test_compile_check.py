"""The shipped kernels compile for GPUs that are not here, within budgets."""

from __future__ import annotations

import dataclasses
import time

import pytest

from kernels.compile_check import SHARED_LIMIT, Compiled, CompileError, CompileTimeout, compile_check

pytestmark = pytest.mark.slow

SOFTMAX = "import torch\nfrom kernels.softmax import softmax\nfor n in (128, 4096):\n    softmax(torch.empty(64, n))\n"
PATIENCE = 850  # seconds: others may use the machine too
SPILLS = {80: 16, 90: 0, 100: 16}  # instructions; the tiles are chosen for Hopper
DOT = """
import torch, triton, triton.language as tl

@triton.jit
def dot(x, y, N: tl.constexpr):
    i = tl.arange(0, N)
    tile = i[:, None] * N + i[None, :]
    a = tl.load(x + tile)
    tl.store(y + tile, tl.dot(a, a))

dot[(1,)](torch.empty({n}, {n}, dtype=torch.float16), torch.empty({n}, {n}), {n}, num_warps={warps})
"""


FAMILIES = {"_flash_backward": 4, "_decode_part": 1, "_int8_matmul": 1, "_nf4_matmul": 1}  # all with tensor cores


def shipped(which: str, arch: int) -> list[Compiled]:
    """What kernels/shipped.py launches, compiled and held against the budgets."""
    kernels = compile_check(f"from kernels import shipped\nshipped.{which}()\n", arch, timeout=PATIENCE)
    for kernel in kernels:
        assert kernel.fits, str(kernel)
        assert kernel.spills <= SPILLS[arch], str(kernel)
    return kernels


@pytest.mark.parametrize("arch", [80, 100])
def test_attention_and_matmul_keep_to_their_budgets(arch):
    kernels = shipped("least", arch)
    assert [kernel.kernel for kernel in kernels] == ["_flash_forward"] * 2 + ["_matmul"]
    assert all(kernel.tensor_core > 0 for kernel in kernels)


def test_all_kernels_keep_to_their_budgets_on_hopper():
    kernels = shipped("few", 90)
    assert len({kernel.kernel for kernel in kernels}) == 16
    assert all(kernel.tensor_core > 0 for kernel in kernels[:3])
    for family, count in FAMILIES.items():
        members = [kernel for kernel in kernels if kernel.kernel.startswith(family)]
        assert len(members) == count
        assert all(kernel.tensor_core > 0 for kernel in members)


def test_tuned_kernels_keep_to_their_budgets_on_hopper():
    kernels = shipped("tuned", 90)
    assert len(kernels) == 11
    for kernel in kernels:
        assert min(kernel.tensor_core, kernel.tma) > 0, str(kernel)
        assert kernel.async_copies == 0 or kernel.kernel == "_tuned_backward_keys", str(kernel)  # numbers of queries
        specialised = kernel.kernel in ("_flash_specialised", "_flash_ping_pong")
        assert (kernel.register_changes > 0) == specialised, str(kernel)
        assert kernel.threads == 384 if specialised else kernel.threads in (128, 256)


def test_resources_of_kernels():
    small, large = compile_check(SOFTMAX, timeout=PATIENCE)
    assert small.kernel == large.kernel == "_softmax_tile"
    for kernel in (small, large):
        assert 0 < kernel.registers <= 128
        assert kernel.spills == kernel.stack_bytes == kernel.tensor_core == 0
        assert kernel.fits
    assert "_softmax_tile for sm_90" in str(small)


@pytest.mark.parametrize("arch", [80, 90, 100])
def test_tensor_cores_are_seen(arch):
    (kernel,) = compile_check(DOT.format(n=64, warps=4), arch, PATIENCE)
    assert kernel.tensor_core > 0
    assert kernel.threads == 128
    assert kernel.shared_bytes > 0
    assert kernel.fits
    assert not dataclasses.replace(kernel, shared_bytes=SHARED_LIMIT[arch] + 1).fits


def test_spills_are_seen():
    (kernel,) = compile_check(DOT.format(n=128, warps=1), 80, PATIENCE)
    assert kernel.spills > 0


def test_a_kernel_that_the_compiler_refuses():
    with pytest.raises(CompileError, match="K >= 16"):
        compile_check(DOT.format(n=8, warps=4), timeout=PATIENCE)


def test_a_compiler_that_does_not_come_to_an_end_is_stopped():
    begin = time.monotonic()
    with pytest.raises(CompileTimeout, match="not compiled after 1 s"):
        compile_check("import time; time.sleep(60)", timeout=1)
    assert time.monotonic() - begin < 30


def test_an_architecture_that_is_not_known():
    with pytest.raises(ValueError, match="sm_75 is not known"):
        compile_check("", 75)
