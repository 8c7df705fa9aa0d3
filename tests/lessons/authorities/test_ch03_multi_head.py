"""ch03 against torch: MultiheadAttention, tensor_split, the FLOP counter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from autograder.exercise import find
from autograder.exercises import ch03_multi_head
from course.supplied import ch03
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

SIZES = [(1, 4, 1), (5, 6, 2), (4, 12, 3), (7, 8, 4), (3, 10, 10)]  # n, d_model, heads


@pytest.mark.parametrize("name", ch03.__all__)
def test_a_solution_in_float32_gets_every_point(name):
    require_full_points_in_float32(f"ch03.{name}", getattr(ch03, name))


def torch_layer(p: dict[str, np.ndarray], heads: int) -> torch.nn.MultiheadAttention:
    """torch's layer with our weights, which act from the right there and from the left here."""
    layer = torch.nn.MultiheadAttention(len(p["w_q"]), heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([tensor(p[name]).T for name in ("w_q", "w_k", "w_v")]))
        layer.out_proj.weight.copy_(tensor(p["w_o"]).T)
    return layer


def masks(n: int, rng: np.random.Generator) -> list[np.ndarray | None]:
    """No mask, the past only, and a random one in which every token sees itself."""
    return [None, np.tri(n, dtype=bool), (rng.random((n, n)) < 0.4) | np.eye(n, dtype=bool)]


@pytest.mark.parametrize("ours", [find("ch03.multi_head_attention").reference, ch03.multi_head_attention])
@pytest.mark.parametrize(("n", "d_model", "heads"), SIZES)
def test_ch03_multi_head_attention_agrees_with_torch(ours, n, d_model, heads):
    rng = np.random.default_rng(n)
    p = ch03_multi_head._weights(rng, d_model)
    x = rng.standard_normal((n, d_model))
    for mask in masks(n, rng):
        hidden = None if mask is None else torch.from_numpy(~mask)  # torch's layer says True where a key is hidden
        batch = tensor(x)[None]
        output, weights = torch_layer(p, heads)(batch, batch, batch, attn_mask=hidden, average_attn_weights=False)
        got = ours(x, p, heads, mask)
        np.testing.assert_allclose(got[0], output[0].detach(), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(got[1], weights[0].detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "d_model", "heads"), SIZES)
def test_ch03_split_and_merge_agree_with_torch(n, d_model, heads):
    x = np.random.default_rng(n).standard_normal((n, d_model))
    slices = tensor(x).tensor_split(heads, dim=1)
    for split in (find("ch03.split_heads").reference, ch03.split_heads):
        np.testing.assert_array_equal(split(x, heads), torch.stack(slices))
    for merge in (find("ch03.merge_heads").reference, ch03.merge_heads):
        np.testing.assert_array_equal(merge(torch.stack(slices).numpy()), torch.cat(slices, dim=1))


def test_ch03_supplied_split_refuses_what_cannot_be_cut():
    with pytest.raises(ValueError, match="reshape"):
        ch03.split_heads(np.zeros((3, 8)), 3)


@pytest.mark.parametrize(("n", "d_model", "heads"), SIZES)
def test_ch03_cost_agrees_with_torchs_counters(n, d_model, heads):
    rng = np.random.default_rng(n)
    p = {name: tensor(w) for name, w in ch03_multi_head._weights(rng, d_model).items()}
    x = tensor(rng.standard_normal((n, d_model)))
    with FlopCounterMode(display=False) as counter:
        q, k, v = (torch.stack((x @ p[name]).tensor_split(heads, dim=1)) for name in ("w_q", "w_k", "w_v"))
        weights = torch.softmax(q @ k.mT / (d_model // heads) ** 0.5, dim=-1)
        torch.cat(list(weights @ v), dim=1) @ p["w_o"]
    with FlopCounterMode(display=False) as projections:
        for w in p.values():
            x @ w
    layer = torch.nn.MultiheadAttention(d_model, heads, bias=False)
    cost = find("ch03.attention_cost").reference(n, d_model, heads)
    assert cost["projection_flops"] + cost["attention_flops"] == counter.get_total_flops()
    assert cost["projection_flops"] == projections.get_total_flops()
    assert cost["parameters"] == sum(w.numel() for w in layer.parameters())
    assert cost["weights"] == weights.numel()
