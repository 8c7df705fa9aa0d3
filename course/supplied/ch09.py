"""What chapter 9 builds: a mixture of experts, and the fit of a scaling law."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course.supplied import ch07

if TYPE_CHECKING:
    from course.trained import Trained

__all__ = ["fit_power_law", "load_balance_loss", "moe_forward", "moe_parameters", "top_k_gating"]

Parameters = dict[str, Any]


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def top_k_gating(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best experts of each token, best first, and the softmax over their logits: (n, E) -> twice (n, k).

    >>> top_k_gating(torch.tensor([[0.0, 5.0, 5.0 + math.log(3)]]), 2)
    (tensor([[2, 1]]), tensor([[0.7500, 0.2500]]))
    """
    values, indices = logits.topk(k, dim=-1)
    return indices, values.softmax(dim=-1)


def moe_forward(x: Tensor, p: Parameters, k: int) -> Tensor:
    """A layer of experts: each token, a row of x (n, d_model), goes through its k best ones only; (n, d_model).

    p["router"] is (d_model, E), p["experts"] a list of E feed-forward networks {"w_1", "b_1", "w_2", "b_2"}.
    """
    indices, gates = top_k_gating(x @ p["router"], k)
    output = torch.zeros_like(x)
    for number, expert in enumerate(p["experts"]):
        token, place = torch.where(indices == number)
        output[token] += gates[token, place, None] * _feed_forward(x[token], expert)
    return output


def _feed_forward(x: Tensor, p: Parameters) -> Tensor:
    return F.gelu(x @ p["w_1"] + p["b_1"], approximate="tanh") @ p["w_2"] + p["b_2"]


def load_balance_loss(logits: Tensor, k: int) -> Tensor:
    """E times the sum over experts of f P: 1 if all get as much, E if one gets all (Fedus et al. 2021, eq. 4 to 6).

    f is an expert's share of the n k assignments, P its mean probability; logits (n, E) -> scalar.
    """
    experts = logits.shape[-1]
    indices, _ = top_k_gating(logits, k)
    share = torch.bincount(indices.flatten(), minlength=experts) / indices.numel()
    return experts * (share * logits.softmax(dim=-1).mean(dim=0)).sum()


def moe_parameters(p: Parameters, k: int) -> dict[str, int]:
    """Parameters of a layer of experts with its router, and those that one token uses; p as in `moe_forward`.

    >>> moe_parameters(init_moe(d_model=2, d_ff=3, experts=4, seed=0), k=1)
    {'total': 76, 'active': 25}
    """
    router = p["router"].numel()
    sizes = [sum(tensor.numel() for tensor in expert.values()) for expert in p["experts"]]
    return {"total": router + sum(sizes), "active": router + sum(sizes[:k])}


def fit_power_law(x: Tensor, loss: Tensor) -> tuple[float, float]:
    """a and alpha of loss = a * x ** -alpha, by least squares on the logarithms of x and loss, both (m,).

    >>> fit_power_law(torch.tensor([1.0, 100.0]), torch.tensor([3.0, 0.3]))  # about (3.0, 0.5)
    """
    columns = torch.stack([torch.ones_like(x), -x.log()], dim=1)
    log_a, alpha = torch.linalg.lstsq(columns, loss.log()).solution
    return log_a.exp().item(), alpha.item()


# ---- given to the chapter's experiments --------------------------------------------------------------------------


def init_moe(d_model: int, d_ff: int, experts: int, seed: int) -> Parameters:
    """Random parameters for `moe_forward`, float32. The router begins small, so that no expert has a head start."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, deviation: float) -> Tensor:
        return deviation * torch.randn(shape, generator=generator)

    def expert() -> Parameters:
        return {
            "w_1": normal(d_model, d_ff, deviation=d_model**-0.5), "b_1": torch.zeros(d_ff),
            "w_2": normal(d_ff, d_model, deviation=d_ff**-0.5), "b_2": torch.zeros(d_model),
        }  # fmt: skip

    return {"router": normal(d_model, experts, deviation=0.02), "experts": [expert() for _ in range(experts)]}


@torch.no_grad()
def feed_forward_pairs(model: Trained, text: str) -> tuple[Tensor, Tensor]:
    """What goes into the first block's feed-forward network for each character of a text, and what comes out.

    Both have shape (n, d_model). The text is read in pieces as long as the model can read.
    """
    block, pairs = model.p["blocks"][0], []
    for start in range(0, len(text), model.length):
        tokens = model.encode(text[start : start + model.length])
        x = model.p["embed"][tokens] + model.p["position"][: tokens.shape[1]]
        x = x + ch07._attention(ch07._layer_norm(x, block["norm_1"]), block["attention"], model.heads)
        z = ch07._layer_norm(x, block["norm_2"])[0]
        pairs.append((z, _feed_forward(z, block["ffn"])))
    inputs, outputs = zip(*pairs, strict=True)
    return torch.cat(inputs), torch.cat(outputs)


# How the experiment trains a layer of experts; `tools/train_ch09.py` makes the widget's routers in the same way.
RECIPE = {"experts": 8, "k": 2, "d_ff": 32, "batch": 256, "steps": 400, "rate": 5e-3, "seed": 0}


def imitate(
    pairs: tuple[Tensor, Tensor], weight: float, forward: Callable[..., Tensor], balance: Callable[..., Tensor],
    watch: Callable[[int], Any] = lambda step: None, recipe: dict[str, Any] = RECIPE,
) -> Parameters:  # fmt: skip
    """Train a layer of experts to do what a feed-forward network does; returns its parameters.

    The loss is the mean squared error as a share of the outputs' variance, plus `weight` times the balance loss.
    `watch(step)` is called after each step.
    """
    inputs, outputs = pairs
    p = init_moe(inputs.shape[1], recipe["d_ff"], recipe["experts"], recipe["seed"])
    tensors = [t.requires_grad_() for t in ch07.flatten(p).values()]
    optimizer = torch.optim.AdamW(tensors, lr=recipe["rate"])
    generator = torch.Generator().manual_seed(recipe["seed"])
    for step in range(recipe["steps"]):
        rows = torch.randint(len(inputs), (recipe["batch"],), generator=generator)
        x = inputs[rows]
        loss = ((forward(x, p, recipe["k"]) - outputs[rows]) ** 2).mean() / outputs.var()
        loss = loss + weight * balance(x @ p["router"], recipe["k"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch(step)
    return ch07.unflatten({name: t.detach() for name, t in ch07.flatten(p).items()})
