"""ch07 against torch: TransformerEncoderLayer, cross_entropy, AdamW, LinearLR and CosineAnnealingLR; and against the
course's own NumPy blocks."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from autograder.exercise import find
from autograder.exercises import ch07_training
from course.supplied import ch07
from course.supplied.ch05 import encoder_block, layer_norm
from course.supplied.ch06 import causal_mask

SIZES = [(1, 1, 5, 4, 2, 1, 6, 3), (2, 5, 7, 6, 3, 2, 8, 9), (3, 4, 6, 8, 4, 3, 12, 4)]
BOTH = [pytest.param(ours, id=ours.__module__) for ours in (find("ch07.decoder_logits").reference, ch07.decoder_logits)]


def parameters(sizes: tuple[int, ...]) -> tuple[torch.Tensor, dict[str, Any]]:
    """Tokens (B, T) and parameters of these sizes."""
    b, t, vocab, d, _, layers, d_ff, length = sizes
    rng = np.random.default_rng(t)
    return torch.from_numpy(rng.integers(0, vocab, (b, t))), ch07_training._parameters(
        rng, vocab, d, layers, d_ff, length
    )


@pytest.mark.parametrize("ours", BOTH)
@pytest.mark.parametrize("sizes", SIZES)
def test_ch07_decoder_agrees_with_the_numpy_blocks(ours, sizes):
    tokens, p = parameters(sizes)
    arrays = ch07.unflatten({name: t.double().numpy() for name, t in ch07.flatten(p).items()})
    for text, logits in zip(tokens.numpy(), ours(tokens, p, sizes[4]), strict=True):
        x = arrays["embed"][text] + arrays["position"][: len(text)]
        for block in arrays["blocks"]:
            x = encoder_block(x, block, sizes[4], causal_mask(len(text)))
        np.testing.assert_allclose(logits, layer_norm(x, **arrays["norm"]) @ arrays["embed"].T, rtol=3e-5, atol=2e-5)


def torch_layer(p: dict[str, Any], heads: int) -> torch.nn.TransformerEncoderLayer:
    """torch's pre-norm block with these weights."""
    d, d_ff = p["ffn"]["w_1"].shape
    gelu = functools.partial(F.gelu, approximate="tanh")
    layer = torch.nn.TransformerEncoderLayer(d, heads, d_ff, 0.0, gelu, batch_first=True, norm_first=True)
    a, f, attention = p["attention"], p["ffn"], layer.self_attn
    pairs = [
        (attention.in_proj_weight, torch.cat([a[w].T for w in ("w_q", "w_k", "w_v")])),
        (attention.in_proj_bias, torch.zeros(3 * d)), (attention.out_proj.weight, a["w_o"].T),
        (attention.out_proj.bias, torch.zeros(d)), (layer.linear1.weight, f["w_1"].T), (layer.linear1.bias, f["b_1"]),
        (layer.linear2.weight, f["w_2"].T), (layer.linear2.bias, f["b_2"]),
    ]  # fmt: skip
    for i in (1, 2):
        norm = getattr(layer, f"norm{i}")
        pairs += [(norm.weight, p[f"norm_{i}"]["gain"]), (norm.bias, p[f"norm_{i}"]["bias"])]
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(ours)
    return layer.double()


@pytest.mark.parametrize("ours", BOTH)
@pytest.mark.parametrize("sizes", SIZES)
def test_ch07_decoder_agrees_with_torch(ours, sizes):
    tokens, p = parameters(sizes)
    t, wide = tokens.shape[1], ch07_training._double(p)
    x, future = wide["embed"][tokens] + wide["position"][:t], ~torch.ones(t, t, dtype=torch.bool).tril()
    for block in p["blocks"]:
        x = torch_layer(block, sizes[4])(x, src_mask=future)
    theirs = F.layer_norm(x, x.shape[-1:], wide["norm"]["gain"], wide["norm"]["bias"]) @ wide["embed"].T
    np.testing.assert_allclose(ours(tokens, p, sizes[4]), theirs.detach(), rtol=3e-5, atol=2e-5)


@pytest.mark.parametrize("ours", [find("ch07.cross_entropy").reference, ch07.cross_entropy])
@pytest.mark.parametrize("shape", [(1, 4), (7, 3), (2, 5, 6), (2, 1, 3, 4)])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_ch07_cross_entropy_and_its_gradient_agree_with_torch(ours, shape, scale):
    torch.manual_seed(0)
    logits = (scale * torch.randn(shape, dtype=torch.float64)).requires_grad_()
    targets = torch.randint(shape[-1], shape[:-1])
    theirs = F.cross_entropy(logits.reshape(-1, shape[-1]), targets.reshape(-1))
    np.testing.assert_allclose(ours(logits, targets).item(), theirs.item(), rtol=1e-12)
    pair = [torch.autograd.grad(loss, logits)[0] for loss in (ours(logits, targets), theirs)]
    np.testing.assert_allclose(*pair, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ours", [find("ch07.adamw_step").reference, ch07.adamw_step])
@pytest.mark.parametrize("settings", [{}, {"beta1": 0.5, "beta2": 0.7, "eps": 0.1, "weight_decay": 0.4}])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_ch07_adamw_agrees_with_torch_over_many_steps(ours, settings, shape):
    torch.manual_seed(1)
    param, zeros = torch.randn(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    state, theirs = {"step": 0, "m": zeros, "v": zeros}, param.clone().requires_grad_()
    chosen = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01} | settings
    betas = (chosen["beta1"], chosen["beta2"])
    optimizer = torch.optim.AdamW([theirs], 0.1, betas, chosen["eps"], chosen["weight_decay"])
    for _ in range(20):
        theirs.grad = torch.randn(shape, dtype=torch.float64)
        param, state = ours(param, theirs.grad, state, 0.1, **settings)
        optimizer.step()
        np.testing.assert_allclose(param, theirs.detach(), rtol=1e-10)
    assert state["step"] == 20
    np.testing.assert_allclose(state["v"], optimizer.state[theirs]["exp_avg_sq"], rtol=1e-12)


@pytest.mark.parametrize("ours", [find("ch07.lr_schedule").reference, ch07.lr_schedule])
@pytest.mark.parametrize(("warmup", "total"), [(5, 30), (1, 9), (40, 41)])
def test_ch07_schedule_agrees_with_torch(ours, warmup, total):
    peak, floor = 0.02, 0.003
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=peak)
    # LinearLR cannot begin at 0; from step 1 on it is the same line.
    rising = LinearLR(optimizer, 1 / warmup, 1.0, total_iters=warmup - 1)
    falling = CosineAnnealingLR(optimizer, total - warmup, eta_min=floor)
    both = SequentialLR(optimizer, [rising, falling], milestones=[warmup - 1])
    assert ours(0, warmup, total, peak, floor) == 0
    for step in range(1, total + 1):
        assert ours(step, warmup, total, peak, floor) == pytest.approx(both.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        both.step()
    assert ours(total + 7, warmup, total, peak, floor) == pytest.approx(floor)


def test_ch07_an_untrained_decoder_only_guesses():
    p = ch07.init_decoder(61, 64, 4, 2, 256, 96, seed=3)
    tokens = torch.randint(61, (4, 96), generator=torch.Generator().manual_seed(0))
    loss = ch07.cross_entropy(ch07.decoder_logits(tokens, p, 4), tokens.roll(1, 0))
    assert loss.item() == pytest.approx(np.log(61), abs=0.1)


def test_ch07_parameters_survive_being_flattened():
    p = ch07.init_decoder(5, 4, 2, 11, 8, 3, seed=0)  # eleven blocks: "10" comes after "9", not after "1"
    flat = ch07.flatten(p)
    again = ch07.unflatten(dict(sorted(flat.items())))
    assert len(again["blocks"]) == 11
    assert all(torch.equal(flat[name], tensor) for name, tensor in ch07.flatten(again).items())
    with pytest.raises(ValueError, match="cannot share"):
        ch07.init_decoder(5, 4, 3, 1, 8, 3, seed=0)


def test_ch07_sampling_reads_no_more_than_it_can_and_is_greedy_at_0():
    def logits_of(ids):
        assert ids.shape[1] <= 3
        return F.one_hot((ids + 1) % 5, 5).float()

    start = torch.tensor([[0, 1]])
    assert ch07.sample_ids(logits_of, start, 5, 3, 0.0, seed=0).tolist() == [[0, 1, 2, 3, 4, 0, 1]]
    warm = [ch07.sample_ids(logits_of, start, 40, 3, 5.0, seed=s).tolist() for s in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]
