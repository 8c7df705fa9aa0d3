"""m19 against transformers (the rotary embeddings of GPT-J and Llama, the scaled speeds of modeling_rope_utils) and
against the decoder of the laboratory."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama

from autograder.exercise import find
from course.lab.decoder import Config, Decoder
from course.supplied import m19

D = 16


def reference(name: str):
    return find(f"m19.{name}").reference


def llama(theta: float = 10000.0, length: int = 64, d: int = D, **scaling) -> LlamaConfig:
    """A small Llama's configuration with heads of width d."""
    parameters = {"rope_type": "default", "rope_theta": theta} | scaling
    return LlamaConfig(
        hidden_size=2 * d, num_attention_heads=2, head_dim=d, max_position_embeddings=length, rope_parameters=parameters
    )


@pytest.mark.parametrize("base", [10000.0, 500.0])
def test_speeds_agree_with_llama(base):
    theirs = modeling_llama.LlamaRotaryEmbedding(llama(base)).inv_freq
    torch.testing.assert_close(reference("rope_speeds")(D, base).float(), theirs)
    torch.testing.assert_close(m19.rope_speeds(D, base), theirs)


def test_neighbours_agree_with_gptj():
    x, positions = torch.randn(2, 5, 3, D), torch.tensor([0, 3, 4, 9, 30])  # theirs: batch, length, heads, d
    angles = positions[:, None] * m19.rope_speeds(D)
    theirs = modeling_gptj.apply_rotary_pos_emb(x, angles.sin()[None], angles.cos()[None])
    ours = reference("rotate_complex")(x.transpose(1, 2), positions, m19.rope_speeds(D)).transpose(1, 2)
    torch.testing.assert_close(ours.float(), theirs, rtol=1e-4, atol=1e-4)


def test_halves_agree_with_llama():
    rotary, positions = modeling_llama.LlamaRotaryEmbedding(llama()), torch.tensor([[4, 5, 6, 20], [0, 1, 9, 33]])
    q, k = torch.randn(2, 2, 3, 4, D)
    theirs = modeling_llama.apply_rotary_pos_emb(q, k, *rotary(q, positions))
    for x, turned in zip((q, k), theirs, strict=True):
        ours = reference("rotate_halves")(x, positions[:, None], m19.rope_speeds(D))
        torch.testing.assert_close(ours.float(), turned, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [2.0, 5.0])
def test_ntk_agrees_with_dynamic_scaling(factor):
    config = llama(rope_type="dynamic", factor=1.0)
    theirs, _ = ROPE_INIT_FUNCTIONS["dynamic"](config, "cpu", seq_len=int(64 * factor))
    torch.testing.assert_close(reference("ntk_speeds")(D, factor).float(), theirs)


def test_the_mix_agrees_with_that_of_llama_3():
    config = llama(
        length=512, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=32.0,
        original_max_position_embeddings=64,
    )  # fmt: skip
    theirs, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    ours, _ = reference("yarn_speeds")(m19.rope_speeds(D), 8.0, 64, 1.0, 32.0)
    torch.testing.assert_close(ours.float(), theirs)


def test_both_ends_and_the_scale_agree_with_yarn():
    """Between the bounds their ramp is straight in the number of the pair, the paper's in its turns."""
    config = llama(
        length=4096, d=64, rope_type="yarn", factor=8.0, beta_fast=16.0, beta_slow=1.0,
        original_max_position_embeddings=512, truncate=False,
    )  # fmt: skip
    theirs, scale = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu")
    speeds = m19.rope_speeds(64)
    ours, our_scale = reference("yarn_speeds")(speeds, 8.0, 512, 1.0, 16.0)
    turns = 512 * speeds / (2 * torch.pi)
    ends = (turns > 16) | (turns < 1)
    assert our_scale == pytest.approx(scale)
    assert 0 < ends.sum() < len(ends)
    torch.testing.assert_close(ours.float()[ends], theirs[ends])


@pytest.mark.parametrize("name", ["rotate_complex", "rotate_halves"])
def test_scores_of_the_references_depend_on_distances_only(name):
    q, k = torch.randn(2, 5, D)
    gap = reference("shift_gap")(reference(name), q, k, torch.arange(5), m19.rope_speeds(D), 40)
    assert gap == pytest.approx(0, abs=1e-4)


def test_the_decoder_turned_from_outside_is_the_decoder():
    config = Config(vocab=11, d_model=24, layers=2, heads=3, d_ff=32, length=16, positions="rope")
    model, ids = Decoder(config, seed=1), torch.randint(11, (2, 9))
    before = model(ids)
    model.turn = lambda x, places: m19.rotate_complex(x, places, m19.rope_speeds(config.d_head))
    torch.testing.assert_close(model(ids), before, rtol=1e-4, atol=1e-5)
    model.turn = lambda x, places: m19.rotate_halves(x, places, m19.rope_speeds(config.d_head))
    assert not torch.allclose(model(ids), before, atol=1e-4)


def test_places_are_columns():
    from course.lab.addition import additions, text

    line = text(additions(1, 4, torch.Generator().manual_seed(3))[0])
    column, wanted = 0, []
    for sign in line:
        column = column + 1 if sign.isdigit() else 0
        wanted.append(column)
    assert reference("digit_places")(5).tolist() == wanted == m19.digit_places(5).tolist()
