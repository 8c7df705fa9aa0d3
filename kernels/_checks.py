"""Questions that every kernel asks of its arguments, with answers that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def name_of(dtype: torch.dtype) -> str:
    """float16 for torch.float16."""
    return str(dtype).removeprefix("torch.")


def require_floats(**tensors: Any) -> None:
    """Raise TypeError unless all are tensors of one dtype, and that float32, float16 or bfloat16."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is a torch.Tensor, not a {type(tensor).__name__}")
        if tensor.dtype not in DTYPES:
            raise TypeError(f"{name} is float32, float16 or bfloat16, not {name_of(tensor.dtype)}")
    dtypes = {name: name_of(tensor.dtype) for name, tensor in tensors.items()}
    if len(set(dtypes.values())) > 1:
        raise TypeError(f"all tensors have one dtype, not {', '.join(f'{k} {v}' for k, v in dtypes.items())}")


def require_dtype(name: str, tensor: Any, dtype: torch.dtype) -> None:
    """Raise TypeError unless something is a tensor of a dtype."""
    if not isinstance(tensor, Tensor) or tensor.dtype != dtype:
        got = name_of(tensor.dtype) if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"{name} is a torch.Tensor of {name_of(dtype)}, not {got}")


def require_shape(name: str, tensor: Tensor, shape: Sequence[int | str]) -> None:
    """Raise ValueError unless a tensor has a shape; a name stands for any size."""
    fits = len(shape) == tensor.ndim and all(
        isinstance(wanted, str) or wanted == size for wanted, size in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has the shape ({', '.join(map(str, shape))}), not {tuple(tensor.shape)}")


def require_no_gradient(name: str, *tensors: Tensor) -> None:
    """Raise RuntimeError if somebody expects a gradient of a kernel that has none."""
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        raise RuntimeError(f"{name} has no backward pass: call it under torch.no_grad(), or on x.detach()")


def rows_of(x: Tensor) -> Tensor:
    """A tensor as (rows, columns) with columns side by side; a copy only where strides leave no other way."""
    flat = x.reshape(-1, x.shape[-1])
    return flat if flat.stride(1) == 1 or flat.shape[1] == 1 else flat.contiguous()
