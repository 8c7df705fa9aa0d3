"""Tensors of a GPU as copies on the CPU, for as long as a launch takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from triton.runtime.jit import TensorWrapper
from triton.tools.tensor_descriptor import TensorDescriptor


class HostCopies:
    """Copies each storage that is not on the CPU once, so that views of one storage stay views of one; copies back."""

    def __init__(self, devices: tuple[str, ...] = ("cpu",)) -> None:
        self._there = devices
        self._copies: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __enter__(self) -> HostCopies:
        return self

    def of(self, value: Any) -> Any:
        """An argument of a launch whose tensors are on the CPU."""
        if isinstance(value, torch.Tensor):
            return value if value.device.type in self._there else self._copy(value)
        if isinstance(value, TensorWrapper):
            return TensorWrapper(self.of(value.base), value.dtype)
        if isinstance(value, TensorDescriptor):
            return dataclasses.replace(value, base=self.of(value.base))
        if isinstance(value, tuple):
            copies = [self.of(item) for item in value]
            return type(value)(*copies) if hasattr(value, "_fields") else tuple(copies)
        return value

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._copies:
            copy = torch.UntypedStorage(storage.nbytes())
            copy.copy_(storage)
            self._copies[storage.data_ptr()] = storage, copy
        bare = torch.empty(0, dtype=tensor.dtype)
        return bare.set_(self._copies[storage.data_ptr()][1], tensor.storage_offset(), tensor.size(), tensor.stride())

    def __exit__(self, *_error: object) -> None:
        for storage, copy in self._copies.values():
            storage.copy_(copy)
