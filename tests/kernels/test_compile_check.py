"""The shipped kernels compile for GPUs that are not here, within budgets."""

from __future__ import annotations

import dataclasses
import time

import pytest

from kernels.compile_check import SHARED_LIMIT, CompileError, CompileTimeout, compile_check

pytestmark = pytest.mark.slow

SOFTMAX = "import torch\nfrom kernels.softmax import softmax\nfor n in (128, 4096):\n    softmax(torch.empty(64, n))\n"
SPILLS = {80: 16, 90: 0, 100: 16}  # instructions; the tiles are chosen for Hopper
SHIPPED = """
import torch
from kernels.cross_entropy import cross_entropy
from kernels.flash_attention import flash_attention
from kernels.flash_attention_backward import flash_attention_with_gradients
from kernels.int8_matmul import int8_matmul
from kernels.layer_norm import layer_norm
from kernels.matmul import matmul
from kernels.nf4_matmul import nf4_matmul
from kernels.online_softmax import online_softmax
from kernels.paged_decode import paged_decode
from kernels.rms_norm import rms_norm
from kernels.vector_add import add

for dtype in (torch.bfloat16, torch.float32):
    for d in (64, 128):
        q = torch.empty(1, 2, 256, d, dtype=dtype)
        flash_attention(q, q, q, causal=True)
    matmul(q[0, 0], q[0, 1].T)
if {everything}:
    add(q, q)
    online_softmax(q[0, 0].repeat(1, 32))
    places = torch.zeros(4, 64, dtype=torch.int32), torch.zeros(4, dtype=torch.int32)
    for d, dtype in ((128, torch.bfloat16), (128, torch.float32)):
        pages = torch.empty(9, 16, 8, d, dtype=dtype)
        paged_decode(torch.empty(4, 32, d, dtype=dtype), pages, pages, *places)
    codes, absmax = torch.empty(256, 256, dtype=torch.uint8), torch.empty(256, 8)
    for rows, dtype in ((16, torch.bfloat16), (64, torch.bfloat16), (64, torch.float32)):
        int8_matmul(torch.empty(rows, 256, dtype=dtype), codes.view(torch.int8), absmax[:, 0])
        nf4_matmul(torch.empty(rows, 512, dtype=dtype), codes, absmax)
    x, weight = torch.zeros(4, 8192, requires_grad=True), torch.zeros(8192, requires_grad=True)
    layer_norm(x, weight, weight).sum().backward()
    rms_norm(x, weight).sum().backward()
    cross_entropy(x.bfloat16(), torch.zeros(4, dtype=torch.int64)).backward()
    for d, dtype in ((64, torch.bfloat16), (128, torch.bfloat16)):
        q = torch.zeros(1, 2, 256, d, dtype=dtype, requires_grad=True)
        flash_attention_with_gradients(q, q, q, causal=True).sum().backward()
"""
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


@pytest.mark.parametrize("arch", [80, 90, 100])
def test_shipped_kernels_keep_to_their_budgets(arch):
    kernels = compile_check(SHIPPED.format(everything=arch == 90), arch, timeout=600)
    assert len(kernels) == (28 if arch == 90 else 6)
    for kernel in kernels:
        assert kernel.fits, str(kernel)
        assert kernel.spills <= SPILLS[arch], str(kernel)
    half = kernels[:3]  # bfloat16
    assert [kernel.kernel for kernel in half] == ["_flash_forward"] * 2 + ["_matmul"]
    backward = [kernel for kernel in kernels if "flash_backward" in kernel.kernel]
    assert len(backward) == 4 * (arch == 90)
    assert all(kernel.tensor_core > 0 for kernel in half + backward)
    for name in ("_decode_part", "_int8_matmul", "_nf4_matmul"):
        assert any(kernel.kernel == name and kernel.tensor_core > 0 for kernel in kernels) == (arch == 90)


def test_resources_of_kernels():
    small, large = compile_check(SOFTMAX)
    assert small.kernel == large.kernel == "_softmax_tile"
    for kernel in (small, large):
        assert 0 < kernel.registers <= 128
        assert kernel.spills == kernel.stack_bytes == kernel.tensor_core == 0
        assert kernel.fits
    assert "_softmax_tile for sm_90" in str(small)


@pytest.mark.parametrize("arch", [80, 90, 100])
def test_tensor_cores_are_seen(arch):
    (kernel,) = compile_check(DOT.format(n=64, warps=4), arch)
    assert kernel.tensor_core > 0
    assert kernel.threads == 128
    assert kernel.shared_bytes > 0
    assert kernel.fits
    assert not dataclasses.replace(kernel, shared_bytes=SHARED_LIMIT[arch] + 1).fits


def test_spills_are_seen():
    (kernel,) = compile_check(DOT.format(n=128, warps=1), 80)
    assert kernel.spills > 0


def test_a_kernel_that_the_compiler_refuses():
    with pytest.raises(CompileError, match="K >= 16"):
        compile_check(DOT.format(n=8, warps=4))


def test_a_compiler_that_does_not_come_to_an_end_is_stopped():
    begin = time.monotonic()
    with pytest.raises(CompileTimeout, match="not compiled after 1 s"):
        compile_check("import time; time.sleep(60)", timeout=1)
    assert time.monotonic() - begin < 30


def test_an_architecture_that_is_not_known():
    with pytest.raises(ValueError, match="sm_75 is not known"):
        compile_check("", 75)
