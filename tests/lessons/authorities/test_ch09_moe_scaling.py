"""ch09 against transformers (Mixtral's block and router, both balance losses), torch and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.exercise import find
from autograder.exercises.ch09_moe_scaling import _apart, _layer
from course.supplied import ch09
from course.widgets.scaling import LAWS

transformers = pytest.importorskip("transformers")
from transformers.models.mixtral import modeling_mixtral as mixtral  # noqa: E402
from transformers.models.switch_transformers import modeling_switch_transformers as switch  # noqa: E402

SIZES = [(5, 7, 4, 2), (3, 8, 6, 1), (6, 9, 3, 3)]  # n, d_model, E, k


def both(name: str) -> list[Any]:
    """The reference and the supplied version."""
    return [find(f"ch09.{name}").reference, getattr(ch09, name)]


def mixtral_block(d_model: int, d_ff: int, experts: int, k: int) -> Any:
    """A random layer of experts of Mixtral's, in float64. Its experts are SwiGLU, without biases."""
    config = mixtral.MixtralConfig(
        hidden_size=d_model, intermediate_size=d_ff, num_local_experts=experts, num_experts_per_tok=k
    )
    config._experts_implementation = "eager"
    block = mixtral.MixtralSparseMoeBlock(config).double().eval()
    with torch.no_grad():
        for number, weight in enumerate(block.parameters()):
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)).double())
    return block


class Gelu(torch.nn.Module):
    """Turns Mixtral's `act_fn(gate) * up` into our GELU: with weights such that `up` is 1 it is all that is left."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(x, approximate="tanh")


@pytest.mark.parametrize("gating", both("top_k_gating"))
@pytest.mark.parametrize(("n", "d_model", "experts", "k"), SIZES)
@torch.no_grad()
def test_ch09_gates_agree_with_mixtrals_router(gating, n, d_model, experts, k):
    block = mixtral_block(d_model, 5, experts, k)
    x = torch.randn(n, d_model, generator=torch.Generator().manual_seed(9)).double()
    logits, weights, chosen = block.gate(x)
    indices, gates = gating(logits, k)
    assert torch.equal(indices, chosen)
    torch.testing.assert_close(gates.double(), weights.double(), rtol=1e-5, atol=1e-6)  # its softmax is in float32


@pytest.mark.parametrize("forward", both("moe_forward"))
@pytest.mark.parametrize(("n", "d_model", "experts", "k"), SIZES)
@torch.no_grad()
def test_ch09_layer_agrees_with_mixtrals_block(forward, n, d_model, experts, k):
    """Mixtral's own routing and adding up, on experts that are ours: a 1 is appended to each token, which carries the
    biases b_1 and the constant `up` = 1; b_2 hangs on one more inner unit that is always gelu^-1(1)."""
    d_ff = 5
    x, p = _layer(np.random.default_rng(n), _apart(np.random.default_rng(k), n, experts), d_model, d_ff)
    block = mixtral_block(d_model + 1, d_ff + 1, experts, k)
    block.experts.act_fn = Gelu()
    block.gate.weight.copy_(F.pad(p["router"].T, (0, 1)))
    one = F.gelu(torch.ones(1, dtype=torch.float64), approximate="tanh").item()
    for number, w in enumerate(p["experts"]):
        gate = torch.cat([torch.cat([w["w_1"].T, w["b_1"][:, None]], 1), F.pad(torch.ones(1, 1), (d_model, 0))])
        up = F.pad(torch.ones(d_ff + 1, 1), (d_model, 0))
        down = torch.cat([w["w_2"].T, w["b_2"][:, None] / one], 1)
        block.experts.gate_up_proj[number] = torch.cat([gate, up])
        block.experts.down_proj[number] = F.pad(down, (0, 0, 0, 1))
    theirs = block(F.pad(x, (0, 1), value=1.0).double()[None])[0, :, :-1]
    torch.testing.assert_close(forward(x, p, k).double(), theirs, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("forward", both("moe_forward"))
def test_ch09_gradients_are_those_of_the_same_sum_in_autograd(forward):
    """The dense sum, in which the gates of the others are 0, has the same gradients."""
    x, p = _layer(np.random.default_rng(1), _apart(np.random.default_rng(2), 6, 4), 7, 5)
    leaves = [x, p["router"], *(t for e in p["experts"] for t in e.values())]
    for leaf in leaves:
        leaf.requires_grad_()
    ours = torch.autograd.grad(forward(x, p, 2).double().square().sum(), leaves, allow_unused=True)
    logits = x @ p["router"]
    kept = logits >= logits.topk(2).values[:, -1:]
    gates = logits.masked_fill(~kept, -torch.inf).softmax(-1)
    outputs = torch.stack([ch09._feed_forward(x, e) for e in p["experts"]], 1)
    theirs = torch.autograd.grad((gates[..., None] * outputs).sum(1).square().sum(), leaves)
    for mine, right in zip(ours, theirs, strict=True):
        mine = torch.zeros_like(right) if mine is None else mine
        torch.testing.assert_close(mine, right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", both("load_balance_loss"))
@pytest.mark.parametrize(("n", "experts", "k"), [(9, 4, 2), (5, 6, 3), (8, 3, 1)])
def test_ch09_balance_is_mixtrals_divided_by_k(loss, n, experts, k):
    logits = torch.tensor(_apart(np.random.default_rng(n), n, experts), dtype=torch.float32)
    theirs = mixtral.load_balancing_loss_func((logits,), experts, k)
    torch.testing.assert_close(k * loss(logits, k).float(), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", both("load_balance_loss"))
def test_ch09_balance_is_that_of_switch_transformers_for_one_expert(loss):
    logits = torch.tensor(_apart(np.random.default_rng(3), 11, 5), dtype=torch.float32)
    theirs = switch.load_balancing_loss_func(logits.softmax(-1)[None], logits.argmax(-1)[None])
    torch.testing.assert_close(loss(logits, 1).float(), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", both("moe_parameters"))
@pytest.mark.parametrize(("d_model", "experts", "k"), [(7, 4, 2), (6, 5, 1)])
def test_ch09_parameters_agree_with_a_block_of_mixtrals(count, d_model, experts, k):
    """Mixtral's experts have three matrices in place of our two, and no biases: ours are counted accordingly."""
    d_ff = 9
    p = ch09.init_moe(d_model, d_ff, experts, seed=0)
    theirs = sum(w.numel() for w in mixtral_block(d_model, d_ff, experts, k).parameters())
    for name, used in (("total", experts), ("active", k)):
        idle = (experts - used) * 3 * d_model * d_ff
        ours = count(p, k)[name] + used * (d_model * d_ff - d_ff - d_model)
        assert ours == theirs - idle


@pytest.mark.parametrize("fit", both("fit_power_law"))
@pytest.mark.parametrize("seed", range(4))
def test_ch09_fit_agrees_with_numpy(fit, seed):
    rng = np.random.default_rng(seed)
    x = np.exp(np.sort(rng.uniform(2, 15, 6 + seed)))
    loss = 4 * x**-0.2 * np.exp(rng.normal(0, 0.1, len(x)))
    slope, intercept = np.polyfit(np.log(x), np.log(loss), 1)
    a, alpha = fit(torch.tensor(x), torch.tensor(loss))
    assert (a, alpha) == pytest.approx((np.exp(intercept), -slope), rel=1e-9)


@pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))
def test_ch09_optimum_is_the_lowest_point_of_the_valley(law):
    for compute in (1e19, 5.76e23):
        best, _ = law.optimum(compute)
        n = best * np.linspace(0.5, 2, 3001)
        assert n[np.argmin(law.loss(n, compute / 6 / n))] == pytest.approx(best, rel=2e-3)


def test_ch09_published_fits_say_what_the_papers_say():
    """Hoffmann et al. 2022, table 2: N grows as C^0.46 by approach 3; Besiroglu et al. 2024: about 20 tokens."""
    law = LAWS["Hoffmann et al. 2022"]
    assert law.beta / (law.alpha + law.beta) == pytest.approx(0.46, abs=0.01)
    n, d = LAWS["Besiroglu et al. 2024"].optimum(5.76e23)
    assert 15 < d / n < 25
