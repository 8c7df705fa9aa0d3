"""Where a kernel runs, and what is said about it."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from kernels import _backend
from kernels._backend import launch
from kernels.simulator import record


@triton.jit
def increment(x, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(x + i, tl.load(x + i, mask=i < n) + 1, mask=i < n)


def test_tensors_in_main_memory_are_simulated_which_is_said_once(capsys, monkeypatch):
    monkeypatch.setattr(_backend, "_said", [])
    x = torch.zeros(100)
    launch(increment, (4,))(x, 100, B=32)
    launch(increment, lambda meta: (triton.cdiv(meta["n"], meta["B"]),))(x, 100, 32)
    assert x.tolist() == [2.0] * 100
    assert capsys.readouterr().out == _backend.SIMULATED + "\n"


def test_launches_are_recorded():
    with record() as traces:
        launch(increment, (4,))(torch.zeros(100), 100, B=32)
    assert [trace.kernel for trace in traces] == ["increment"]


def test_a_tensor_on_a_gpu_runs_compiled(monkeypatch):
    class Compiled:
        def __getitem__(self, grid):
            return lambda *args, **named: (grid, args, named)

    class OnGpu(torch.Tensor):
        device = torch.device("cuda", 0)

    x = torch.zeros(1).as_subclass(OnGpu)
    assert launch(Compiled(), (1,))(x, 2, B=3) == ((1,), (x, 2), {"B": 3})


def test_tensors_on_different_devices_are_told():
    with pytest.raises(ValueError, match="different devices: cpu, meta"):
        launch(increment, (1,))(torch.zeros(1), torch.zeros(1, device="meta"), 1)
