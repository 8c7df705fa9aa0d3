"""Third rung: the scale is folded into the exponent, so that a score takes one multiply-add on its way to exp2.

What changes: the largest score is kept unscaled, and exp2(score * scale - largest * scale) replaces
exp2(score * scale - largest of those). Why it should pay: the first is one fused instruction for each of the n * m
scores where the second is two, and these stand between the tensor cores and the exponentials; at d = 64 there are only
4 * 64 operations in dots for each of them. It needs a positive scale, else the largest score would be the smallest.
Source: Dao 2023, "FlashAttention-2", whose implementation does the same.
"""

from __future__ import annotations

import functools

from kernels.tuned.descriptors import attend_by_descriptors

attend_folded = functools.partial(attend_by_descriptors, folded=True)
