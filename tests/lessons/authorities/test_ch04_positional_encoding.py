"""ch04 against torch (MultiheadAttention, complex numbers, matrix_exp) and transformers (DistilBERT's sinusoids, the
rotary embeddings of GPT-J, GPT-NeoX and Llama, and a small random Llama's attention)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import GPTNeoXConfig, LlamaConfig
from transformers.models.distilbert import modeling_distilbert
from transformers.models.gpt_neox import modeling_gpt_neox
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama

from autograder.exercise import find
from course.supplied import ch02, ch03, ch04
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

HEADS = ("w_q", "w_k", "w_v", "w_o")


def gap_in_float32(x, positions, p, heads, order):
    """The course's own attention in the dtype of the inputs."""
    before, after = (ch03.multi_head_attention(z + positions, p, heads)[0] for z in (x, x[order]))
    return np.abs(after - before[order]).max()


def waves_in_float32(n, d_model):
    """Angles and sines in float32."""
    speeds = np.float32(10000) ** (-np.arange(0, d_model, 2, dtype=np.float32) / np.float32(d_model))
    angles = np.outer(np.arange(n, dtype=np.float32), speeds)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, d_model)


def offset_in_float32(k, d_model):
    """The encoding of k, put into blocks."""
    sin, cos = waves_in_float32(abs(k) + 1, d_model)[-1].reshape(-1, 2).T
    blocks = np.kron(np.diag(cos), np.eye(2)) + np.sign(k) * np.kron(np.diag(sin), [[0, -1], [1, 0]])
    return blocks.astype(np.float32)


def rope_in_float32(x, positions, base=10000.0):
    """Cosines and sines in float32."""
    d = x.shape[1]
    speeds = np.float32(base) ** (-np.arange(0, d, 2, dtype=np.float32) / np.float32(d))
    angles = np.outer(positions.astype(np.float32), speeds)
    a, b = x[:, ::2], x[:, 1::2]
    turned = [a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)]
    return np.stack(turned, axis=-1).reshape(x.shape)


IN_FLOAT32 = {
    "ch04.permutation_gap": gap_in_float32,
    "ch04.sinusoidal_encoding": waves_in_float32,
    "ch04.offset_matrix": offset_in_float32,
    "ch04.apply_rope": rope_in_float32,
}


@pytest.mark.parametrize("exercise_id", IN_FLOAT32)
def test_a_solution_in_float32_gets_every_point(exercise_id):
    require_full_points_in_float32(exercise_id, IN_FLOAT32[exercise_id])


def torch_attention(p: dict[str, np.ndarray], heads: int) -> torch.nn.MultiheadAttention:
    """torch's attention with these weights, which act from the left there."""
    d = len(p["w_q"])
    layer = torch.nn.MultiheadAttention(d, heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([tensor(p[name]).T for name in HEADS[:3]]))
        layer.out_proj.weight.copy_(tensor(p["w_o"]).T)
    return layer


@pytest.mark.parametrize(("n", "d", "heads"), [(3, 4, 2), (7, 12, 3), (5, 6, 1)])
def test_permutation_gap_agrees_with_torch(n, d, heads):
    rng = np.random.default_rng(n)
    p = {name: rng.standard_normal((d, d)) for name in HEADS}
    x, order = rng.standard_normal((n, d)), rng.permutation(n)
    layer, reference = torch_attention(p, heads), find("ch04.permutation_gap").reference
    for positions in (rng.standard_normal((n, d)), np.zeros((n, d))):
        inputs = [tensor(z + positions)[None] for z in (x, x[order])]
        before, after = (layer(z, z, z)[0][0].detach().numpy() for z in inputs)
        gap = reference(x, positions, p, heads, order)
        assert gap == pytest.approx(np.abs(after - before[order]).max(), rel=1e-9, abs=1e-12)
        assert (gap > 1e-3) == bool(positions.any())


@pytest.mark.parametrize(("n", "d"), [(1, 2), (17, 6), (200, 64)])
def test_sinusoidal_encoding_agrees_with_transformers(n, d):
    theirs = torch.empty(n, d)
    modeling_distilbert.create_sinusoidal_embeddings(n_pos=n, dim=d, out=theirs)
    for ours in (find("ch04.sinusoidal_encoding").reference, ch04.sinusoidal_encoding):
        np.testing.assert_allclose(ours(n, d), theirs.numpy(), rtol=1e-5, atol=1e-6)  # theirs is in float32


@pytest.mark.parametrize("k", [0, 1, 9, -4])
def test_offset_matrix_is_the_exponential_of_one_generator(k):
    d = 10
    generator = np.kron(np.diag(10000.0 ** (-np.arange(0, d, 2) / d)), [[0, -1], [1, 0]])
    theirs = torch.linalg.matrix_exp(k * tensor(generator)).numpy()
    for ours in (find("ch04.offset_matrix").reference, ch04.offset_matrix):
        np.testing.assert_allclose(ours(k, d), theirs, rtol=1e-10, atol=1e-12)
    encoding = ch04.sinusoidal_encoding(40, d)
    np.testing.assert_allclose(encoding[10:30] @ theirs, encoding[10 + k : 30 + k], rtol=1e-9, atol=1e-12)


def example(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and positions with gaps, in no order."""
    rng = np.random.default_rng(d)
    return rng.standard_normal((n, d)), rng.permutation(300)[:n]


@pytest.mark.parametrize("base", [10000.0, 500.0])
@pytest.mark.parametrize("d", [2, 8, 14])
def test_apply_rope_agrees_with_torch_complex_numbers(d, base):
    x, positions = example(6, d)
    angles = torch.outer(tensor(positions), base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d))
    pairs = torch.view_as_complex(tensor(x).reshape(6, -1, 2))
    theirs = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).reshape(6, d)
    for ours in (find("ch04.apply_rope").reference, ch04.apply_rope):
        np.testing.assert_allclose(ours(x, positions, base), theirs.numpy(), rtol=1e-10, atol=1e-12)


def test_apply_rope_agrees_with_gptj_whose_pairs_are_neighbours():
    x, positions = example(9, 16)
    table = modeling_gptj.create_sinusoidal_positions(300, 16)[torch.from_numpy(positions)][None]
    sin, cos = table.chunk(2, dim=-1)
    theirs = modeling_gptj.apply_rotary_pos_emb(tensor(x)[None, :, None], sin, cos)[0, :, 0]
    np.testing.assert_allclose(ch04.apply_rope(x, positions), theirs.numpy(), rtol=1e-4, atol=2e-4)  # float32 angles


def half_split(d: int) -> np.ndarray:
    """The columns of our layout in the order in which Llama and GPT-NeoX have them: first entries, then second ones."""
    return np.concatenate([np.arange(0, d, 2), np.arange(1, d, 2)])


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
def test_apply_rope_agrees_with_half_split_layouts_after_a_permutation(family):
    d = 16
    x, positions = example(9, d)
    if family == "llama":
        config = LlamaConfig(hidden_size=d, num_attention_heads=1, max_position_embeddings=300)
        embedding, apply = modeling_llama.LlamaRotaryEmbedding(config), modeling_llama.apply_rotary_pos_emb
    else:
        rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
        config = GPTNeoXConfig(hidden_size=d, num_attention_heads=1, max_position_embeddings=300, rope_parameters=rope)
        embedding, apply = modeling_gpt_neox.GPTNeoXRotaryEmbedding(config), modeling_gpt_neox.apply_rotary_pos_emb
    there = tensor(x[:, half_split(d)])[None, None]
    cos, sin = embedding(there, torch.from_numpy(positions)[None])
    theirs = apply(there, there, cos, sin)[0][0, 0].numpy()
    np.testing.assert_allclose(ch04.apply_rope(x, positions)[:, half_split(d)], theirs, rtol=1e-4, atol=2e-4)
    assert not np.allclose(ch04.apply_rope(x, positions), apply(tensor(x)[None, None], there, cos, sin)[0], atol=0.1)


def test_attention_with_our_rope_agrees_with_a_small_random_llama():
    """Their weights, with the columns of w_q and w_k permuted head by head to our layout."""
    torch.manual_seed(0)
    n, d, heads = 7, 24, 3
    config = LlamaConfig(hidden_size=d, num_attention_heads=heads, num_key_value_heads=heads)
    config._attn_implementation = "eager"
    layer = modeling_llama.LlamaAttention(config, layer_idx=0).double()
    x = torch.randn(1, n, d, dtype=torch.float64)
    places = torch.arange(n)[None]
    causal = torch.full((n, n), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    theirs, weights = layer(x, modeling_llama.LlamaRotaryEmbedding(config)(x, places), causal)
    back = np.argsort(half_split(d // heads))
    q, k, v = (
        ch03.split_heads(x[0].numpy() @ w.weight.detach().numpy().T, heads)
        for w in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    outputs = []
    for h in range(heads):
        turned = [ch04.apply_rope(z[h][:, back], np.arange(n)) for z in (q, k)]
        output, ours = ch02.scaled_dot_product_attention(*turned, v[h], np.tri(n, dtype=bool))
        np.testing.assert_allclose(ours, weights[0, h].detach().numpy(), rtol=1e-4, atol=1e-6)
        outputs.append(output)
    merged = ch03.merge_heads(np.stack(outputs)) @ layer.o_proj.weight.detach().numpy().T
    np.testing.assert_allclose(merged, theirs[0].detach().numpy(), rtol=1e-4, atol=1e-6)
