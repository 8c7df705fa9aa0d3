"""Tries: replaces the course's launcher, and lies a triton.py beside the notebook. Must: earn nothing."""

KIND = "Forged results"
LESSON = "m22_flash_attention"
SETUP = """
import course.supplied.m22 as supplied
supplied.launch_rows = lambda kernel, x: x.softmax(1)
"""
ANSWERS = {
    "m22.softmax_kernel": """
import triton
import triton.language as tl

@triton.jit
def softmax_kernel(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    tl.store(out, 0.0)
"""
}
FILES = {"triton.py": "import torch\n", "m22.py": "launch_rows = lambda kernel, x: x.softmax(1)\n"}
SAYS = {"m22.softmax_kernel": "Race"}
