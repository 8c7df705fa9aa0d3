"""The widgets of ch07 without a browser: whose function draws, what sliders change, what the numbers say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from course.supplied.ch07 import adamw_step, cross_entropy, lr_schedule
from course.widgets import loss_lab, schedule_lab, valley_lab

RIGHT = {loss_lab: cross_entropy, schedule_lab: lr_schedule, valley_lab: adamw_step}


def unfinished(*args, **kwargs):
    raise NotImplementedError


@pytest.mark.parametrize("make", RIGHT)
@pytest.mark.parametrize("function", [None, unfinished, lambda *a, **k: 1 / 0, lambda *a, **k: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(function)
    assert "cw-course" in card._status._dom_classes
    assert card.curves.greyed


@pytest.mark.parametrize(("make", "function"), RIGHT.items())
def test_a_right_function_draws_as_yours(make, function):
    card = make(function)
    assert "cw-yours" in card._status._dom_classes
    assert not card.curves.greyed
    assert card.figure().axes


def test_the_loss_is_minus_the_logarithm_of_the_probability():
    card = loss_lab(cross_entropy)
    for p in (0.01, 0.5, 0.99):
        card.p.value = p
        assert card.curves.marker == p
        assert card.bars.columns[0]["values"][0] == p
        assert sum(card.bars.columns[0]["values"]) == pytest.approx(1)
        assert f"Loss {-math.log(p):.2f}" in card.bars.note
        assert f"perplexity {1 / p:.1f}" in card.bars.note
    x, y = (np.array(card.curves.series[0][k]) for k in "xy")
    np.testing.assert_allclose(y, -np.log(x), rtol=1e-6)
    np.testing.assert_allclose(card.curves.series[1]["y"], math.log(61))


def test_a_wrong_loss_is_drawn_and_marked():
    card = loss_lab(lambda logits, targets: -cross_entropy(logits, targets))
    assert "cw-wrong" in card._status._dom_classes
    assert min(card.curves.series[0]["y"]) < -4


def test_a_loss_that_still_has_its_graph_is_drawn():
    card = loss_lab(
        lambda logits, targets: cross_entropy(logits, targets) + 0 * torch.ones(1, requires_grad=True).sum()
    )
    assert "cw-yours" in card._status._dom_classes


def test_sliders_shape_the_schedule():
    card = schedule_lab(lr_schedule)
    card.warmup.value, card.total.value, card.peak.value, card.floor.value = 200, 800, 2.0, 1.0
    x, y = (np.array(card.curves.series[0][k]) for k in "xy")
    assert y.max() == pytest.approx(2.0)
    assert x[y.argmax()] == 200
    assert y[0] == 0
    assert y[x >= 800] == pytest.approx(1.0)
    card.step.value = 100
    assert card.curves.marker == 100
    assert "Step 100: learning rate 0.001. Warm-up." in card.curves.note
    card.step.value = 2200
    assert card.curves.marker == x[-1]
    assert "The end." in card.curves.note
    card.floor.value = 5.0
    assert "the floor lies above the peak" in card.curves.note


def test_a_wrong_schedule_is_drawn_beside_the_right_one():
    card = schedule_lab(lambda step, warmup, total, peak, floor: peak)
    assert "cw-wrong" in card._status._dom_classes
    assert [one["name"] for one in card.curves.series] == ["learning rate", "right"]


def test_adamw_walks_alike_whatever_the_steepness_and_gradient_descent_does_not():
    card = valley_lab(adamw_step)
    ends = {}
    for steepness in (1, 1000):
        card.steepness.value = steepness
        ends[steepness] = [one["y"][-1] for one in card.curves.series]
    assert ends[1000][0] > 0.4 > ends[1][0]
    assert ends[1000][1] < 1000 * max(ends[1][1], 1e-4)
    card.lr.value = 0.5
    assert card.curves.series[1]["y"][-1] != ends[1000][1]


def test_an_optimizer_that_flies_away_still_draws():
    card = valley_lab(lambda p, g, s, lr, weight_decay: (p + 1e200 * g, s))
    assert "cw-wrong" in card._status._dom_classes
