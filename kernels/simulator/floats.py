"""The number formats that NumPy lacks, as arrays of bits: bfloat16 and tf32.

Triton's interpreter keeps a bfloat16 as its 16 bits in a uint16. It computes on these bits as if they were integers,
and truncates where a GPU rounds to nearest even. Here they are widened to float32, worked on, and rounded.
"""

import numpy as np
import triton.language as tl
from triton._C.libtriton import ir

from kernels.simulator.versions import interpreter

BF16_NAN = np.uint16(0x7FC0)
EXPONENT = np.uint32(0x7F80_0000)  # of a float32; all ones in infinities and NaNs


def widen(bits: np.ndarray) -> np.ndarray:
    """The float32 values of bfloat16 bits; exact."""
    return (np.asarray(bits).astype(np.uint32) << np.uint32(16)).view(np.float32)


def round_bf16(values: np.ndarray, toward_zero: bool = False) -> np.ndarray:
    """The bfloat16 bits of values: rounded to nearest even, as the GPU's conversion does, or toward zero."""
    values = np.asarray(values).astype(np.float32)
    bits = values.view(np.uint32)
    if not toward_zero:
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return np.where(np.isnan(values), BF16_NAN, (bits >> np.uint32(16)).astype(np.uint16))


def round_tf32(values: np.ndarray) -> np.ndarray:
    """float32 values with the 10 bits of mantissa that a tensor core takes of them; nearest even."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x0FFF) + ((bits >> np.uint32(13)) & np.uint32(1))) & np.uint32(0xFFFF_E000)
    return np.where((bits & EXPONENT) == EXPONENT, bits, rounded).view(np.float32)


def is_bf16(handle: interpreter.TensorHandle) -> bool:
    """Whether a value of the interpreter holds the bits of bfloat16 numbers."""
    return handle.dtype.scalar == tl.bfloat16 and handle.data.dtype == np.uint16


def decode(handle: interpreter.TensorHandle) -> np.ndarray:
    """The numbers of a value of the interpreter, in a format that NumPy computes with."""
    if is_bf16(handle):
        return widen(handle.data)
    if handle.dtype.is_floating() and handle.dtype.primitive_bitwidth == 8:
        return interpreter._convert_float(handle.data, handle.dtype, tl.float16, None).view(np.float16)
    return handle.data


def encode(values: np.ndarray, dtype: tl.dtype) -> np.ndarray:
    """Numbers as the interpreter stores them for a Triton dtype (no 8-bit floats)."""
    if dtype.scalar == tl.bfloat16:
        return round_bf16(values)
    return np.asarray(values).astype(interpreter._get_np_dtype(dtype.scalar), copy=False)


def operand(handle: interpreter.TensorHandle, precision: ir.INPUT_PRECISION) -> np.ndarray:
    """What the tensor core sees of an operand of a dot, in a format whose products and sums NumPy does by BLAS.

    16- and 8-bit floats are exact in float32; float32 is rounded to tf32 if asked for; int8 is exact in float64.
    """
    values = decode(handle)
    if values.dtype == np.float64 or values.dtype.kind in "iu":
        return values.astype(np.float64, copy=False)
    if handle.dtype.scalar == tl.float32 and precision == ir.INPUT_PRECISION.TF32:
        return round_tf32(values)
    return values.astype(np.float32, copy=False)
