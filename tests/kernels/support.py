"""What tests of kernels share: the device, reproducible numbers, and how far from float64 a dtype may be."""

from __future__ import annotations

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
ROUNDING = {torch.float32: 1e-6, torch.float16: 6e-4, torch.bfloat16: 5e-3}  # relative, of the norm


def numbers(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Normal numbers, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)


def assert_near(got: torch.Tensor, wanted: torch.Tensor, dtype: torch.dtype, slack: float = 1.0) -> None:
    """Hold a result against float64: no number far off, and the whole within a dtype's rounding."""
    assert got.shape == wanted.shape
    assert got.dtype == dtype
    assert torch.equal(got.isnan(), wanted.isnan())
    got, wanted = got.double().nan_to_num(), wanted.double().nan_to_num()
    size = wanted.norm() + 1e-30
    assert (got - wanted).norm() / size <= slack * ROUNDING[dtype]
    typical = size / max(1, wanted.numel()) ** 0.5
    assert (got - wanted).abs().max() <= 20 * slack * ROUNDING[dtype] * (typical + wanted.abs().max())
