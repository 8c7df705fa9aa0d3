"""m02 against torch's autograd in float64, layer by layer and as a whole, and against torch's optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.exercise import find
from course.supplied import m02
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def both(name: str) -> list[Any]:
    """The reference and the supplied version."""
    return [find(f"m02.{name}").reference, getattr(m02, name)]


def leaf(array: np.ndarray) -> torch.Tensor:
    return tensor(array).clone().requires_grad_()


def gradients(loss: torch.Tensor, *leaves: torch.Tensor) -> list[np.ndarray]:
    return [g.numpy() for g in torch.autograd.grad(loss, leaves)]


def require_close(ours: Any, theirs: Any) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


@pytest.mark.parametrize("measure", both("numeric_gradient"))
def test_m02_measured_gradient_is_autograds_to_second_order(measure, rng):
    c, x = rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    t = leaf(x)
    flat = t.reshape(-1)
    (theirs,) = gradients((tensor(c) * t**3).sum() + (flat[1:] * flat[:-1]).sum(), t)
    np.testing.assert_allclose(measure(m02.Cubic(c), x), theirs, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(measure(m02.Cubic(c), x, 0.1), theirs + 0.01 * c, rtol=1e-9)


@pytest.mark.parametrize("back", both("linear_backward"))
@pytest.mark.parametrize("forward", both("linear_forward"))
@pytest.mark.parametrize(("b", "n_in", "n_out"), [(3, 4, 2), (1, 5, 5), (6, 2, 3)])
def test_m02_linear_layer(forward, back, rng, b, n_in, n_out):
    x, w, bias, weight = (rng.standard_normal(s) for s in ((b, n_in), (n_in, n_out), n_out, (b, n_out)))
    leaves = [leaf(one) for one in (x, w, bias)]
    y = F.linear(leaves[0], leaves[1].T, leaves[2])
    np.testing.assert_allclose(forward(x, w, bias), y.detach(), **CLOSE)
    require_close(back(weight, x, w), gradients((y * tensor(weight)).sum(), *leaves))


@pytest.mark.parametrize(("name", "function"), [("relu", F.relu), ("gelu", lambda x: F.gelu(x, approximate="tanh"))])
def test_m02_activations(rng, name, function):
    x, weight = np.append(3 * rng.standard_normal((4, 5)), np.zeros((1, 5)), 0), rng.standard_normal((5, 5))
    t = leaf(x)
    theirs = gradients((function(t) * tensor(weight)).sum(), t)
    for back in both(f"{name}_backward"):
        require_close([back(weight, x)], theirs)


@pytest.mark.parametrize("back", both("softmax_cross_entropy_backward"))
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_m02_softmax_with_cross_entropy(back, rng, scale):
    logits, targets = scale * rng.standard_normal((5, 7)), rng.integers(0, 7, 5)
    t = leaf(logits)
    loss = F.cross_entropy(t, torch.from_numpy(targets))
    require_close([back(logits, targets)], gradients(loss, t))
    assert m02.mean_loss(logits, targets) == pytest.approx(loss.item(), rel=1e-12)


@pytest.mark.parametrize("back", both("embedding_backward"))
def test_m02_embedding(back, rng):
    table, ids, weight = rng.standard_normal((6, 3)), rng.integers(0, 5, (7, 2)), rng.standard_normal((7, 2, 3))
    t = leaf(table)
    loss = (F.embedding(torch.from_numpy(ids), t) * tensor(weight)).sum()
    require_close([back(weight, ids, 6)], gradients(loss, t))


@pytest.mark.parametrize("back", both("network_backward"))
@pytest.mark.parametrize("forward", both("network_forward"))
def test_m02_whole_network(forward, back):
    pairs, products = m02.multiplication_table()
    p = m02.init_network(5, 7, seed=1)
    leaves = {name: leaf(w) for name, w in p.items()}
    x = F.embedding(torch.from_numpy(pairs), leaves["embed"]).flatten(1)
    hidden = F.relu(F.linear(x, leaves["w_1"].T, leaves["b_1"]))
    logits = F.linear(hidden, leaves["w_2"].T, leaves["b_2"])
    loss = F.cross_entropy(logits, torch.from_numpy(products))
    ours, saved = forward(pairs, p)
    np.testing.assert_allclose(ours, logits.detach(), **CLOSE)
    np.testing.assert_allclose(saved["a"], hidden.detach(), **CLOSE)
    value, found = back(pairs, products, p)
    assert value == pytest.approx(loss.item(), rel=1e-12)
    require_close([found[name] for name in leaves], gradients(loss, *leaves.values()))


def descend(optimizer: Any, w: torch.Tensor, grads: list[np.ndarray]) -> np.ndarray:
    """Where an optimizer of torch's ends, given these gradients one after the other."""
    for grad in grads:
        w.grad = tensor(grad)
        optimizer.step()
    return w.detach().numpy()


def test_m02_optimizers(rng):
    w, grads = rng.standard_normal((3, 4)), list(rng.standard_normal((6, 3, 4)))
    for step in both("sgd_step"):
        ours = w
        for grad in grads:
            ours = step(ours, grad, 0.3)
        t = leaf(w)
        require_close([ours], [descend(torch.optim.SGD([t], lr=0.3), t, grads)])
    for step in both("momentum_step"):
        ours, velocity = w, np.zeros_like(w)
        for grad in grads:
            ours, velocity = step(ours, grad, velocity, 0.2, 0.8)
        t = leaf(w)
        require_close([ours], [descend(torch.optim.SGD([t], lr=0.2, momentum=0.8), t, grads)])
    for step in both("adam_step"):
        ours, state = w, {"step": 0, "m": np.zeros_like(w), "v": np.zeros_like(w)}
        for grad in grads:
            ours, state = step(ours, grad, state, 0.1, beta1=0.8)
        t = leaf(w)
        require_close([ours], [descend(torch.optim.Adam([t], lr=0.1, betas=(0.8, 0.999)), t, grads)])


@pytest.mark.parametrize("step", both("train_step"))
def test_m02_training_is_torchs(step):
    """Five steps of Adam on the whole network end where torch's end."""
    pairs, products = m02.multiplication_table()
    p = m02.init_network(4, 6, seed=3)
    leaves = {name: leaf(w) for name, w in p.items()}
    optimizer = torch.optim.Adam(leaves.values(), lr=0.05)
    states = m02.init_states(p)
    for _ in range(5):
        x = F.relu(leaves["embed"][torch.from_numpy(pairs)].flatten(1) @ leaves["w_1"] + leaves["b_1"])
        loss = F.cross_entropy(x @ leaves["w_2"] + leaves["b_2"], torch.from_numpy(products))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        p, states, ours = step(pairs, products, p, states, 0.05)
        assert ours == pytest.approx(loss.item(), rel=1e-9)
    for name, w in p.items():
        np.testing.assert_allclose(w, leaves[name].detach(), rtol=1e-7, atol=1e-10)


NAMES = [name for name in m02.__all__ if name != "numeric_gradient"]  # float32 has too few digits to measure with


@pytest.mark.parametrize("name", NAMES)
def test_m02_a_solution_in_float32_gets_full_points(name):
    require_full_points_in_float32(f"m02.{name}", getattr(m02, name))


@pytest.mark.parametrize("both_orders", [True, False])
def test_m02_the_net_memorises(both_orders):
    """What the lesson says of pairs that the net never saw."""
    hidden = m02.held_out(both_orders)
    pairs, products = m02.multiplication_table()
    assert set(products[hidden]) <= set(products[~hidden])
    p = m02.init_network(6, 32, seed=0)
    states = m02.init_states(p)
    for _ in range(200):
        p, states, _ = m02.train_step(pairs[~hidden], products[~hidden], p, states, 0.02)
    right = m02.network_forward(pairs, p)[0].argmax(1) == products
    assert right[~hidden].all()
    assert right[hidden].mean() <= 0.125
