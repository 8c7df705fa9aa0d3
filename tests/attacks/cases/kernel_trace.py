"""Tries: replaces what counts a kernel's bytes in its own process. Must: be counted elsewhere, and lose that part."""

KIND = "Forged results"
LESSON = "m22_flash_attention"
SETUP = """
from course.checks import needs
from kernels import simulator
from kernels.simulator import launch, trace

forged = {"bytes": 1, "read": 1, "written": 0, "tile_bytes": 1, "tensors": {}}
needs.with_traffic = lambda run: needs.Measured(run(), forged)
needs.too_much = lambda *args: ""
trace.Counter.count = lambda *args: None
trace.Trace.bytes = 0
"""
ANSWERS = {
    "m22.softmax_kernel": """
import triton
import triton.language as tl

@triton.jit
def softmax_kernel(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
    scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
    powers = tl.exp(scores - tl.max(scores, 0))
    tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=at < columns)
"""
}
EARNS = {"m22.softmax_kernel": 2}
SAYS = {"m22.softmax_kernel": "moved"}
