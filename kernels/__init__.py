"""Triton kernels, one idea a file; without a GPU they run in Triton's interpreter. See README.md in this folder.

Import this package before anything else that imports Triton: an optimizer's step and `torch.compile` do.
"""

from kernels import _backend as _backend  # decides between GPU and interpreter, which has to come first
