"""A kernel is cut out of the cells with all that it uses, and what is not Triton is refused with the reason."""

from __future__ import annotations

import pytest

from course.checks.kernel_text import NotSeen, NotTriton, first_foreign, kernel_text

HEAD = "import sys\nimport numpy as np\nimport triton\nimport triton.language as tl\n"
WIDE = '''
import math
from triton import cdiv
LOG2E = tl.constexpr(math.log2(math.e))
LOWEST: tl.constexpr = -float("inf")
unused = np.ones(3)

@triton.jit
def helper(largest, scores, BN: tl.constexpr = 32):
    """Doc."""
    a, b = largest, scores  # a comment
    if BN > 16:
        return a
    return tl.maximum(a, tl.max(b, 1))

@triton.jit
def kernel(x, y, n: int, B: tl.constexpr, CAUSAL: "tl.constexpr" = True) -> None:
    i = tl.program_id(0) * B + tl.arange(0, B)
    acc = tl.full([B], LOWEST, dtype=tl.float32)
    for j in tl.static_range(2):
        acc += tl.load(x + i, mask=i < n, other=0.0).to(tl.float32) * LOG2E
    for start in range(0, cdiv(n, B) * B, B):
        acc = acc + start
    while n > 1000:
        n = n // 2
    scale: tl.constexpr = 1.0 / B
    h = helper(acc, acc[None, :], BN=B) if CAUSAL and not B == 3 else acc.sum(0)
    print("done", n)
    tl.store(y + i, tl.math.exp2(h.to(y.dtype.element_ty) * scale), mask=(i < n) & (i >= 0))
'''


def test_a_kernel_comes_with_its_helpers_and_constants_and_nothing_else():
    text = kernel_text([HEAD, WIDE, "kernel[(1,)](1, 2, 3, B=4)"], "kernel")
    compile(text, "cell", "exec")
    for kept in (
        "LOG2E = ",
        "LOWEST",
        "def helper",
        "def kernel",
        "from triton import cdiv",
        "B: _triton.language.constexpr",
    ):
        assert kept in text
    for left in ("unused", "numpy", "sys", "kernel["):
        assert left not in text
    assert text.index("LOG2E = ") < text.index("def helper")


@pytest.mark.parametrize("imports", [
    "import triton, triton.language as tl",
    "from triton import language as tl\nimport triton",
    "from kernels.notebook import tl, triton, without_gpu",
])  # fmt: skip
def test_modules_may_come_by_any_name(imports):
    body = "\n@triton.jit\ndef kernel(x):\n    tl.store(x, tl.math.exp2(tl.load(x)))"
    assert "def kernel" in kernel_text([imports + body], "kernel")


def test_the_last_definition_counts_and_a_text_of_ours_may_take_its_place():
    cells = [HEAD, "@triton.jit\ndef part(x):\n    return x", "@triton.jit\ndef kernel(x):\n    part(x)"]
    ours = "import triton\n@triton.jit\ndef part(x):\n    return x + 1"
    assert "return x + 1" in kernel_text([*cells, ours], "kernel")
    assert "return x + 1" not in kernel_text(cells, "kernel")


REFUSED = [
    "y = tl.__loader__", "y = ().__class__", "y = tl.core.sys", "y = np.exp(x)", "y = x.handle", "y = x.handle.data",
    "import os", "y = [i for i in x]", "y = lambda: 1", "y = sys.modules", "exec('1')", "y = getattr(x, 'y')",
    "tl.load(x, _semantic=3)", "y = tl.load.fn", "y = tl.load.__globals__", "y = x.to(tl.int32, bitcast=True)",
    "y = tl.pointer_type(tl.int8)", "y = tl.inline_asm_elementwise('')", "y = f'{x}'", "x.shape = 3", "global x",
    "y = __import__('os')", "y = _simulator_to_tensor(3)", "y = unknown(x)", "for i in tl.load(x):\n        pass",
    "def g(): pass", "y = triton.runtime", "y = tl.math.core", "y = tl.tensor", "y = kernel.fn", "tl.load(*x)",
    "y = tl.math.wraps", "with x: pass", "y = (z := 3)", "y = b'1'", "tl.load(**x)", "y = tl.extra", "raise ValueError",
    "raise NotImplementedError(sys)", "y = open('x')", "y = x.store.__self__", "break",
    "y = '{0.__class__}'.format(x)", "x.dtype.element_ty.name = 1", "y = math.__spec__",
]  # fmt: skip


@pytest.mark.parametrize("line", REFUSED)
def test_python_is_refused(line):
    with pytest.raises(NotTriton):
        kernel_text([HEAD, f"@triton.jit\ndef kernel(x):\n    {line}"], "kernel")


@pytest.mark.parametrize("cells", [
    ["kernel = 3"],
    ["def kernel(x): pass"],
    ["@triton.autotune([])\n@triton.jit\ndef kernel(x): pass"],
    ["kernel = triton.jit(lambda x: 3)"],
    ["@triton.jit\ndef kernel(x): pass", "kernel.run = print"],
    ["@triton.jit\ndef kernel(x=open('x')): pass"],
    ["@triton.jit\ndef kernel(*x): pass"],
    ["@triton.jit\ndef kernel(x): return 0x" + "f" * 9000],
    ["C = np.ones(3)\n@triton.jit\ndef kernel(x): return x + C"],
    ["@triton.jit\ndef kernel(x):\n    y = " + "-" * 60 + "1\n" + "    x = x + 1\n" * 15_000],
])  # fmt: skip
def test_what_is_no_kernel_is_refused(cells):
    with pytest.raises(NotTriton):
        kernel_text([HEAD, *cells], "kernel")


def test_a_stub_and_what_is_not_seen_are_no_fault_of_the_text():
    assert first_foreign([HEAD, "@triton.jit\ndef kernel(x):\n    raise NotImplementedError"], "kernel") is None
    assert first_foreign([], "kernel") is None
    assert first_foreign(["kernel = ..."], "kernel") is None
    with pytest.raises(NotSeen):
        kernel_text(["helper = ...", HEAD, "@triton.jit\ndef kernel(x):\n    helper(x)"], "kernel")


def test_reading_changes_nothing_for_others():
    cells = [HEAD, "@triton.jit\ndef kernel(x: int):\n    pass"]
    assert kernel_text(cells, "kernel") == kernel_text(cells, "kernel")
