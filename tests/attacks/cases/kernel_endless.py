"""Tries: a kernel that loops for ever. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
LESSON = "m22_flash_attention"
ANSWERS = {
    "m22.softmax_kernel": """
import triton
import triton.language as tl

@triton.jit
def softmax_kernel(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    i = 0
    while i < 1:
        i = i * 1
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
    powers = tl.exp(scores - tl.max(scores, 0))
    tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=at < columns)
"""
}
SAYS = {"m22.softmax_kernel": "took longer"}
