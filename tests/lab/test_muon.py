"""Muon: singular values come near 1, and its steps are those of torch.optim.Muon."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from course.lab.muon import Muon, orthogonalized

SHAPES = [(6, 6), (4, 9), (12, 5), (1, 7)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_singular_values_come_near_one_and_directions_stay(shape, scale):
    generator = torch.Generator().manual_seed(2)
    u, s, vt = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    s = s.clamp(min=0.1 * s.max())
    result = orthogonalized(scale * (u * s) @ vt)
    inner = u.T @ result @ vt.T
    assert (inner - inner.diag().diag()).abs().max() < 1e-3
    assert 0.6 < inner.diag().min() <= inner.diag().max() < 1.3


def test_nothing_stays_nothing():
    assert torch.equal(orthogonalized(torch.zeros(3, 4)), torch.zeros(3, 4))


def ten_steps(optimiser_of, shape) -> torch.Tensor:
    """Where a matrix gets to from the same place with the same ten gradients."""
    generator = torch.Generator().manual_seed(6)
    p = torch.nn.Parameter(torch.randn(shape, generator=generator))
    optimiser = optimiser_of([p])
    for _ in range(10):
        p.grad = torch.randn(shape, generator=generator)
        optimiser.step()
    return p.detach()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_it_is_torchs_muon(shape, decay, monkeypatch):
    """To float32's precision when torch's too computes in float32, and nearly when it does so in bfloat16, as usual."""
    ours = ten_steps(lambda ps: Muon(ps, lr=0.1, weight_decay=decay), shape)

    def torchs(ps: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Muon(ps, lr=0.1, weight_decay=decay)

    torch.testing.assert_close(ours, ten_steps(torchs, shape), rtol=0, atol=0.1)
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())
    torch.testing.assert_close(ours, ten_steps(torchs, shape), rtol=1e-4, atol=1e-4)


def test_it_takes_matrices_only_and_leaves_what_has_no_gradient():
    with pytest.raises(ValueError, match="matrices only"):
        Muon([torch.nn.Parameter(torch.ones(3))])
    p = torch.nn.Parameter(torch.ones(2, 2))
    Muon([p]).step()
    assert torch.equal(p, torch.ones(2, 2))


def test_its_state_can_be_kept_and_given_back():
    p, q = (torch.nn.Parameter(torch.eye(3)) for _ in range(2))
    a, b = Muon([p]), Muon([q])
    p.grad = q.grad = torch.arange(9.0).view(3, 3)
    a.step()
    q.data.copy_(p.data)
    b.load_state_dict(deepcopy(a.state_dict()))  # torch itself would share the tensors
    a.step()
    b.step()
    assert torch.equal(p, q)
