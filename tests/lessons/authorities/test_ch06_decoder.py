"""ch06 against torch: scaled_dot_product_attention, MultiheadAttention, TransformerDecoderLayer."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.exercise import find
from autograder.exercises import ch06_decoder
from tests.lessons.authorities.tools import attention_in_float32, require_full_points_in_float32, tensor

IN_FLOAT32 = {
    "ch06.masked_attention": attention_in_float32,
    "ch06.cross_attention": lambda x, y, w_q, w_k, w_v: attention_in_float32(x @ w_q, y @ w_k, y @ w_v)[0],
    "ch06.decoder_block": find("ch06.decoder_block").reference,
}


@pytest.mark.parametrize("exercise_id", IN_FLOAT32)
def test_a_solution_in_float32_gets_every_point(exercise_id):
    require_full_points_in_float32(exercise_id, IN_FLOAT32[exercise_id])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17])
def test_ch06_causal_mask_agrees_with_torch(n):
    mask = find("ch06.causal_mask").reference(n)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, torch.tril(torch.ones(n, n, dtype=torch.bool)))
    np.testing.assert_array_equal(mask, torch.nn.Transformer.generate_square_subsequent_mask(n) == 0)


def test_ch06_masked_attention_agrees_with_torch():
    rng = np.random.default_rng(3)
    reference = find("ch06.masked_attention").reference
    for n, m, d_k, d_v in [(1, 1, 2, 2), (5, 5, 4, 3), (4, 9, 8, 2), (9, 4, 3, 5)]:
        q, k, v = (rng.standard_normal(s) for s in [(n, d_k), (m, d_k), (m, d_v)])
        mask = rng.random((n, m)) < 0.5
        mask[:, 0] = True
        out, weights = reference(q, k, v, mask)
        expected = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=torch.from_numpy(mask))
        np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(weights.sum(1), 1)
        assert not weights[~mask].any()
        causal = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), is_causal=True)
        np.testing.assert_allclose(reference(q, k, v, np.tri(n, m, dtype=bool))[0], causal, rtol=1e-10, atol=1e-12)


def test_ch06_a_row_with_nothing_to_see_is_zero_as_in_torch():
    rng = np.random.default_rng(4)
    q, k, v = (rng.standard_normal((3, 2)) for _ in range(3))
    mask = np.tri(3, dtype=bool)
    mask[1] = False
    out, weights = find("ch06.masked_attention").reference(q, k, v, mask)
    expected = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=torch.from_numpy(mask))
    np.testing.assert_allclose(out, expected, rtol=1e-10)
    assert not weights[1].any()


def torch_attention(weights: dict[str, np.ndarray]) -> torch.nn.MultiheadAttention:
    """torch's attention with one head, no bias, and these weights; they must all be square."""
    d = len(weights["w_q"])
    layer = torch.nn.MultiheadAttention(d, 1, bias=False, batch_first=True, dtype=torch.float64)
    copy_attention(layer, weights)
    return layer


def copy_attention(layer: torch.nn.MultiheadAttention, weights: dict[str, np.ndarray]) -> None:
    """Copy our weights, which act from the right, into torch's, which act from the left."""
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([tensor(weights[w]).T for w in ("w_q", "w_k", "w_v")]))
        layer.out_proj.weight.copy_(tensor(weights["w_o"]).T)
        for bias in (layer.in_proj_bias, layer.out_proj.bias):
            if bias is not None:
                bias.zero_()


def test_ch06_cross_attention_agrees_with_torch():
    rng = np.random.default_rng(5)
    reference = find("ch06.cross_attention").reference
    for n, m, d, d_k, d_v in [(1, 1, 2, 3, 4), (5, 3, 4, 4, 4), (2, 7, 6, 2, 5)]:
        shapes = [(n, d), (m, d), (d, d_k), (d, d_k), (d, d_v)]
        x, memory, w_q, w_k, w_v = arguments = [rng.standard_normal(s) for s in shapes]
        projected = (tensor(x @ w_q), tensor(memory @ w_k), tensor(memory @ w_v))
        expected = F.scaled_dot_product_attention(*projected)
        np.testing.assert_allclose(reference(*arguments), expected, rtol=1e-10, atol=1e-12)
        if d == d_k == d_v:
            layer = torch_attention({"w_q": w_q, "w_k": w_k, "w_v": w_v, "w_o": np.eye(d)})
            theirs = layer(tensor(x)[None], tensor(memory)[None], tensor(memory)[None])[0][0]
            np.testing.assert_allclose(reference(*arguments), theirs.detach(), rtol=1e-10, atol=1e-12)


def torch_decoder_layer(p: dict[str, Any], d: int, d_ff: int) -> torch.nn.TransformerDecoderLayer:
    """torch's pre-norm decoder layer with one head and these weights."""
    gelu = functools.partial(F.gelu, approximate="tanh")
    layer = torch.nn.TransformerDecoderLayer(
        d, 1, d_ff, dropout=0.0, activation=gelu, batch_first=True, norm_first=True, dtype=torch.float64
    )
    copy_attention(layer.self_attn, p["self"])
    copy_attention(layer.multihead_attn, p["cross"])
    f = p["ffn"]
    pairs = [(layer.linear1.weight, f["w_1"].T), (layer.linear1.bias, f["b_1"])]
    pairs += [(layer.linear2.weight, f["w_2"].T), (layer.linear2.bias, f["b_2"])]
    for number in (1, 2, 3):
        norm, ours = getattr(layer, f"norm{number}"), p[f"norm_{number}"]
        pairs += [(norm.weight, ours["gain"]), (norm.bias, ours["bias"])]
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(tensor(ours))
    return layer


@pytest.mark.parametrize(("n", "m", "d", "d_ff"), [(1, 1, 4, 4), (5, 3, 6, 9), (3, 8, 8, 16)])
def test_ch06_decoder_block_agrees_with_torch(n, m, d, d_ff):
    rng = np.random.default_rng(n)
    x, memory = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    p = ch06_decoder._parameters(rng, d, d, d_ff)
    layer = torch_decoder_layer(p, d, d_ff)
    future = ~torch.tril(torch.ones(n, n, dtype=torch.bool))
    theirs = layer(tensor(x)[None], tensor(memory)[None], tgt_mask=future)[0].detach()
    np.testing.assert_allclose(find("ch06.decoder_block").reference(x, memory, p), theirs, rtol=1e-9, atol=1e-11)
