"""ch10 against torch: MultiheadAttention, LayerNorm, TransformerEncoder and its hooks, complex numbers for RoPE."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.exercise import find
from course import trained
from course.supplied import ch04, ch07, ch10

SIZES = [(1, 3, 4), (2, 5, 3), (4, 7, 2)]


def reference(name: str) -> Any:
    return find(f"ch10.{name}").reference


def double(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: double(part) for key, part in value.items()}
    return [double(part) for part in value] if isinstance(value, list) else value.double()


def attention_layer(heads: int, d_head: int) -> torch.nn.MultiheadAttention:
    torch.manual_seed(heads)
    return torch.nn.MultiheadAttention(heads * d_head, heads, bias=False, batch_first=True, dtype=torch.float64)


def outputs_by_head(layer: torch.nn.MultiheadAttention, x: Tensor, weights: Tensor) -> Tensor:
    """Weights (h, T, T) times the values that the layer makes of x (T, d): (h, T, d_head)."""
    values = F.linear(x, layer.in_proj_weight.chunk(3)[2])
    return weights @ values.unflatten(-1, (layer.num_heads, -1)).transpose(0, 1)


@pytest.mark.parametrize(("heads", "t", "d_head"), SIZES)
def test_ch10_head_writes_sum_to_what_torch_gives(heads, t, d_head):
    layer, x = attention_layer(heads, d_head), torch.randn(t, heads * d_head, dtype=torch.float64)
    with torch.no_grad():
        expected, weights = layer(x, x, x, average_attn_weights=False)
        writes = reference("head_writes")(outputs_by_head(layer, x, weights), layer.out_proj.weight.T)
    assert writes.shape == (heads, t, heads * d_head)
    torch.testing.assert_close(writes.sum(0), expected)


@pytest.mark.parametrize(("heads", "t", "d_head"), SIZES)
def test_ch10_ablation_to_zero_is_torch_without_that_part_of_its_projection(heads, t, d_head):
    layer, x = attention_layer(heads, d_head), torch.randn(t, heads * d_head, dtype=torch.float64)
    with torch.no_grad():
        _, weights = layer(x, x, x, average_attn_weights=False)
        outputs, w_o = outputs_by_head(layer, x, weights), layer.out_proj.weight.T.clone()
        for head in range(heads):
            layer.out_proj.weight.copy_(w_o.T)
            layer.out_proj.weight[:, head * d_head : (head + 1) * d_head] = 0
            torch.testing.assert_close(reference("ablate_head")(outputs, w_o, head), layer(x, x, x)[0])


class Attention(torch.nn.Module):
    """Causal attention whose output projection is a module, so that a hook can reach what goes into it."""

    def __init__(self, heads: int, d_head: int):
        super().__init__()
        self.heads, d = heads, heads * d_head
        self.qkv = torch.nn.Linear(d, 3 * d, bias=False, dtype=torch.float64)
        self.out = torch.nn.Linear(d, d, bias=False, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(0, 1) for part in self.qkv(x).chunk(3, -1))
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).flatten(1))


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize(("heads", "t", "d_head"), SIZES)
def test_ch10_ablation_is_what_a_hook_does(heads, t, d_head, mean):
    torch.manual_seed(t)
    layer, x, seen = Attention(heads, d_head), torch.randn(t, heads * d_head, dtype=torch.float64), []
    layer.out.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    with torch.no_grad():
        layer(x)
        outputs = seen[0].unflatten(-1, (heads, d_head)).transpose(0, 1)
        for head in range(heads):
            handle = layer.out.register_forward_pre_hook(functools.partial(cut, head, d_head, mean))
            expected = layer(x)
            handle.remove()
            torch.testing.assert_close(reference("ablate_head")(outputs, layer.out.weight.T, head, mean), expected)


def cut(head: int, d_head: int, mean: bool, _: torch.nn.Module, given: tuple[Tensor]) -> Tensor:
    """A hook that replaces one head's slice of what goes into the projection."""
    merged, own = given[0].clone(), slice(head * d_head, (head + 1) * d_head)
    merged[:, own] = merged[:, own].mean(0) if mean else 0
    return merged


def test_ch10_logit_lens_agrees_with_torch():
    torch.manual_seed(2)
    norm = torch.nn.LayerNorm(6, dtype=torch.float64)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    embed, residuals = torch.randn(9, 6, dtype=torch.float64), torch.randn(4, 5, 6, dtype=torch.float64)
    p = {"embed": embed, "norm": {"gain": norm.weight.detach(), "bias": norm.bias.detach()}}
    torch.testing.assert_close(reference("logit_lens")(residuals, p), F.linear(norm(residuals), embed).detach())


@pytest.mark.parametrize("t", [2, 3, 8, 21])
def test_ch10_scores_agree_with_a_sum_over_shifted_masks(t):
    attention = torch.randn(3, t, t, dtype=torch.float64).softmax(-1)
    expected = torch.einsum("hij,ij->h", attention, torch.eye(t, dtype=torch.float64).roll(1, 0).tril()) / (t - 1)
    torch.testing.assert_close(reference("previous_token_score")(attention), expected)
    for period in range(1, t):
        shifted = torch.diag(torch.ones(t - period + 1, dtype=torch.float64), 1 - period)
        shifted[period - 1] = 0
        expected = torch.einsum("hij,ij->h", attention, shifted) / (t - period)
        torch.testing.assert_close(reference("induction_score")(attention, period), expected)


# ---- the given helpers, on which the lesson's figures rest -------------------------------------------------------


def test_ch10_rotation_is_multiplication_by_complex_numbers():
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    angles = torch.outer(torch.arange(5.0, dtype=torch.float64), 10000.0 ** (-torch.arange(0, 8, 2) / 8))
    turned = torch.view_as_complex(x.unflatten(-1, (4, 2))) * torch.polar(torch.ones_like(angles), angles)
    torch.testing.assert_close(ch10.rotate(x), torch.view_as_real(turned).flatten(-2), rtol=1e-6, atol=1e-6)
    by_ch04 = torch.stack([torch.from_numpy(ch04.apply_rope(head.numpy(), np.arange(5))) for head in x])
    torch.testing.assert_close(ch10.rotate(x), by_ch04, rtol=1e-6, atol=1e-6)


def torch_block(block: dict[str, Any], d: int, heads: int) -> torch.nn.TransformerEncoderLayer:
    """torch's pre-norm layer with the weights of one of ch07's blocks."""
    gelu = functools.partial(F.gelu, approximate="tanh")
    layer = torch.nn.TransformerEncoderLayer(
        d, heads, block["ffn"]["w_1"].shape[1], dropout=0.0, activation=gelu, batch_first=True, norm_first=True
    ).double()
    a, f = block["attention"], block["ffn"]
    pairs = [(layer.self_attn.in_proj_weight, torch.cat([a[n].T for n in ("w_q", "w_k", "w_v")]))]
    pairs += [(layer.self_attn.out_proj.weight, a["w_o"].T), (layer.linear1.weight, f["w_1"].T)]
    pairs += [(layer.linear1.bias, f["b_1"]), (layer.linear2.weight, f["w_2"].T), (layer.linear2.bias, f["b_2"])]
    for number in (1, 2):
        norm, ours = getattr(layer, f"norm{number}"), block[f"norm_{number}"]
        pairs += [(norm.weight, ours["gain"]), (norm.bias, ours["bias"])]
    with torch.no_grad():
        layer.self_attn.in_proj_bias.zero_()
        layer.self_attn.out_proj.bias.zero_()
        for theirs, ours in pairs:
            theirs.copy_(ours)
    return layer


def test_ch10_stations_are_what_hooks_read_from_torch():
    model = trained.read(trained.FOLDER / "ch07_characters.safetensors")
    p, tokens = double(model.p), model.encode("Shall I compare thee")[0]
    inside, seen = ch10.look_inside(tokens, p, model.heads), []
    layers = [torch_block(block, len(p["norm"]["gain"]), model.heads) for block in p["blocks"]]
    for layer in layers:
        layer.norm2.register_forward_pre_hook(lambda _, given: seen.append(given[0][0]))
        layer.register_forward_hook(lambda *call: seen.append(call[2][0]))
    x = (p["embed"][tokens] + p["position"][: len(tokens)])[None]
    future = torch.ones(len(tokens), len(tokens), dtype=torch.bool).triu(1)
    for layer in layers:
        x = layer(x, src_mask=future)
    torch.testing.assert_close(inside.residuals[1:], torch.stack(seen).detach())
    assert len(inside.stations) == len(inside.residuals) == 1 + 2 * len(layers)
    torch.testing.assert_close(inside.logits, ch07.decoder_logits(tokens[None], p, model.heads)[0])


def test_ch10_looking_inside_and_training_see_the_same_model():
    p, heads = ch10.load_induction()
    tokens, _ = ch10.repeated_tokens(2, torch.Generator().manual_seed(0))
    logits = ch10.attention_only_logits(tokens, p, heads)
    for row, expected in zip(tokens, logits, strict=True):
        inside = ch10.look_inside(row, p, heads, lambda _, outputs, w_o: ch10.head_writes(outputs, w_o).sum(0))
        torch.testing.assert_close(inside.logits, expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ch10.look_inside(row, p, heads).logits, expected, rtol=1e-4, atol=1e-4)


def test_ch10_the_shipped_model_is_the_one_that_its_record_describes():
    p, heads = ch10.load_induction()
    record = json.loads(ch10.CHECKPOINT.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["recipe"] == json.loads(json.dumps(ch10.RECIPE))
    tokens, _ = ch10.repeated_tokens(16, torch.Generator().manual_seed(1000), 40, (20, 20))
    weights = torch.stack([ch10.look_inside(row, p, heads).weights.flatten(0, 1) for row in tokens]).mean(0)
    assert ch10.induction_score(weights, 20).max().item() == pytest.approx(record["best_induction_score"], abs=0.01)
    assert ch10.previous_token_score(weights).max().item() == pytest.approx(
        record["best_previous_token_score"], abs=0.01
    )


def test_ch10_what_can_be_foretold_stood_there_before():
    tokens, again = ch10.repeated_tokens(20, torch.Generator().manual_seed(3))
    for row, flags in zip(tokens.tolist(), again.tolist(), strict=True):
        period = flags.index(True) - 1
        assert 6 <= period <= 24
        assert all(row[i] == row[i - period] for i in range(period, len(row)))
        assert flags == [i > period for i in range(len(row))]
