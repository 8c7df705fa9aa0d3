"""ch05 against torch: layer_norm, gelu(approximate="tanh"), TransformerEncoderLayer(norm_first=True)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.exercise import find
from autograder.exercises import ch05_encoder
from course.supplied import ch05
from course.supplied.ch03 import multi_head_attention
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

SUPPLIED = ("layer_norm", "gelu", "feed_forward", "encoder_block")


@pytest.mark.parametrize("name", SUPPLIED)
def test_a_solution_in_float32_gets_every_point(name):
    require_full_points_in_float32(f"ch05.{name}", getattr(ch05, name))


def both(name: str) -> list[Any]:
    """The reference of an exercise, and what the course supplies to later chapters."""
    return [find(f"ch05.{name}").reference, getattr(ch05, name)]


@pytest.mark.parametrize("shape", [(5,), (1, 4), (7, 3), (2, 3, 6), (2, 1, 3, 4)])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_ch05_layer_norm_agrees_with_torch(shape, eps):
    rng = np.random.default_rng(len(shape))
    x, gain, bias = 3 * rng.standard_normal(shape) + 2, rng.standard_normal(shape[-1]), rng.standard_normal(shape[-1])
    x[..., :] = np.where(rng.random(shape[:-1])[..., None] < 0.3, 4.0, x)  # some rows are constant
    expected = F.layer_norm(tensor(x), shape[-1:], tensor(gain), tensor(bias), eps)
    for function in both("layer_norm"):
        np.testing.assert_allclose(function(x, gain, bias, eps), expected, rtol=1e-9, atol=1e-11)


def test_ch05_layer_norm_has_torchs_default_eps():
    x = 1e-3 * np.random.default_rng(0).standard_normal((3, 5))
    for function in both("layer_norm"):
        expected = torch.nn.LayerNorm(5, dtype=torch.float64)(tensor(x)).detach()
        np.testing.assert_allclose(function(x, np.ones(5), np.zeros(5)), expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(1,), (6,), (3, 4), (2, 3, 5)])
def test_ch05_gelu_agrees_with_torch(shape):
    x = 3 * np.random.default_rng(1).standard_normal(shape)
    x.flat[0] = -60
    for function in both("gelu"):
        np.testing.assert_allclose(function(x), F.gelu(tensor(x), approximate="tanh"), rtol=1e-9, atol=1e-15)


def copy_ffn(linear1: torch.nn.Linear, linear2: torch.nn.Linear, f: dict[str, np.ndarray]) -> None:
    """Copy our weights, which act from the right, into torch's, which act from the left."""
    pairs = [(linear1.weight, f["w_1"].T), (linear1.bias, f["b_1"])]
    pairs += [(linear2.weight, f["w_2"].T), (linear2.bias, f["b_2"])]
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(tensor(ours))


@pytest.mark.parametrize(("n", "d", "d_ff"), [(1, 3, 5), (4, 6, 2), (5, 4, 16)])
def test_ch05_feed_forward_agrees_with_torch(n, d, d_ff):
    rng = np.random.default_rng(n)
    x, p = rng.standard_normal((n, d)), ch05_encoder._ffn_weights(rng, d, d_ff)
    layers = torch.nn.Linear(d, d_ff, dtype=torch.float64), torch.nn.Linear(d_ff, d, dtype=torch.float64)
    copy_ffn(*layers, p)
    expected = torch.nn.Sequential(layers[0], torch.nn.GELU("tanh"), layers[1])(tensor(x)).detach()
    for function in both("feed_forward"):
        np.testing.assert_allclose(function(x, p), expected, rtol=1e-10, atol=1e-12)


def torch_encoder_layer(p: dict[str, Any], heads: int) -> torch.nn.TransformerEncoderLayer:
    """torch's pre-norm encoder layer with these weights."""
    d, d_ff = p["ffn"]["w_1"].shape
    tanh_gelu = functools.partial(F.gelu, approximate="tanh")
    layer = torch.nn.TransformerEncoderLayer(
        d, heads, d_ff, dropout=0.0, activation=tanh_gelu, batch_first=True, norm_first=True, dtype=torch.float64
    )
    copy_ffn(layer.linear1, layer.linear2, p["ffn"])
    a = p["attention"]
    pairs = [(layer.self_attn.in_proj_weight, np.hstack([a["w_q"], a["w_k"], a["w_v"]]).T)]
    pairs += [(layer.self_attn.out_proj.weight, a["w_o"].T)]
    for number in (1, 2):
        norm, ours = getattr(layer, f"norm{number}"), p[f"norm_{number}"]
        pairs += [(norm.weight, ours["gain"]), (norm.bias, ours["bias"])]
    with torch.no_grad():
        layer.self_attn.in_proj_bias.zero_()
        layer.self_attn.out_proj.bias.zero_()
        for theirs, ours in pairs:
            theirs.copy_(tensor(ours))
    return layer


@pytest.mark.parametrize(("n", "d", "heads", "d_ff"), [(1, 4, 2, 4), (5, 6, 3, 9), (3, 8, 1, 16), (6, 4, 4, 3)])
def test_ch05_encoder_block_agrees_with_torch(n, d, heads, d_ff):
    rng = np.random.default_rng(n)
    x, p = rng.standard_normal((n, d)), ch05_encoder._block_weights(rng, d, d_ff)
    layer = torch_encoder_layer(p, heads)
    masks = [None, np.tri(n, dtype=bool)] + ([ch05_encoder._random_mask(rng, n)] if n > 1 else [])
    for mask in masks:
        hidden = None if mask is None else torch.from_numpy(~mask)
        theirs = layer(tensor(x)[None], src_mask=hidden)[0].detach()
        for function in both("encoder_block"):
            np.testing.assert_allclose(function(x, p, heads, mask), theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("d", "d_ff"), [(4, 4), (6, 20), (64, 256)])
def test_ch05_count_parameters_agrees_with_torch(d, d_ff):
    layer = torch.nn.TransformerEncoderLayer(d, 2, d_ff)
    theirs = sum(p.numel() for p in layer.parameters()) - 4 * d  # but for the biases of attention
    assert sum(find("ch05.count_parameters").reference(d, d_ff).values()) == theirs
    arrays = ch05.random_block(np.random.default_rng(0), d, d_ff)
    assert sum(a.size for part in arrays.values() for a in part.values()) == theirs


def test_ch05_gradients_of_the_experiment_agree_with_autograd():
    """The experiment takes a gradient down by Jacobians that it measures; torch differentiates by itself."""
    rng = np.random.default_rng(7)
    stack, states = [ch05.random_block(rng, 8, 16) for _ in range(6)], [rng.standard_normal((3, 8))]
    for p in stack:
        states.append(ch05.encoder_block(states[-1], p, 2))
    gradient, step = rng.standard_normal(24), 1e-5
    x = tensor(states[0]).requires_grad_()
    y = functools.reduce(lambda y, p: torch_encoder_layer(p, 2)(y), stack, x[None])
    (y.ravel() * tensor(gradient)).sum().backward()
    for p, state in zip(stack[::-1], states[-2::-1], strict=True):
        nudges = step * np.eye(24).reshape(24, 3, 8)
        moved = [ch05.encoder_block(state + u, p, 2) - ch05.encoder_block(state - u, p, 2) for u in nudges]
        gradient = gradient @ np.stack([m.ravel() / (2 * step) for m in moved], axis=1)
    np.testing.assert_allclose(gradient.reshape(3, 8), x.grad, rtol=1e-6, atol=1e-8)


def test_ch05_a_block_without_residuals_is_its_parts():
    rng = np.random.default_rng(8)
    p, x = ch05.random_block(rng, 8, 16), rng.standard_normal((3, 8))
    bare = ch05.without_residuals(multi_head_attention, ch05.feed_forward)
    np.testing.assert_array_equal(
        bare(x, p, 2), ch05.feed_forward(multi_head_attention(x, p["attention"], 2)[0], p["ffn"])
    )
    normed = ch05.without_residuals(multi_head_attention, ch05.feed_forward, ch05.layer_norm)
    half = multi_head_attention(ch05.layer_norm(x, **p["norm_1"]), p["attention"], 2)[0]
    np.testing.assert_array_equal(normed(x, p, 2), ch05.feed_forward(ch05.layer_norm(half, **p["norm_2"]), p["ffn"]))
