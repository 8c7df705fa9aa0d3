"""The widgets of ch09 without a browser: whose functions draw, who gets which tokens, what a budget buys."""

import base64

import numpy as np
import pytest
import torch

from course.supplied import ch09
from course.widgets import router_lab, scaling_lab
from course.widgets.routing import EXPERTS, UNLIMITED, within_capacity
from course.widgets.scaling import LAWS, written


def unfinished(*args):
    raise NotImplementedError


def dense(logits, k):
    return torch.arange(k).expand(len(logits), k), logits[:, :k].softmax(-1)


BROKEN = [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x", lambda *a: torch.zeros(3)]


@pytest.mark.parametrize("function", BROKEN)
def test_ch09_without_a_working_function_the_course_draws_and_says_so(function):
    for card in (router_lab(function), router_lab(ch09.top_k_gating, function or unfinished), scaling_lab(function)):
        assert "cw-course" in card._status._dom_classes
        assert card._status.value


def test_ch09_every_row_has_k_gates_that_sum_to_1():
    card = router_lab(ch09.top_k_gating, ch09.load_balance_loss)
    assert "cw-yours" in card._status._dom_classes
    for line in card.line.options:
        card.line.value = line
        for k in (1, 2, 8):
            card.k.value = k
            table = np.array(card.gates.values)
            assert table.shape == (len(line), EXPERTS)
            assert np.allclose(table.sum(1), 1)
            assert ((table > 0).sum(1) == k).all()
            *counts, even = card.load.columns[0]["values"]
            assert sum(counts) == k * len(line) == EXPERTS * even
            assert np.array(card.gates.masked).sum() == (EXPERTS - k) * len(line)


def test_ch09_the_router_without_the_loss_is_less_even():
    card, found = router_lab(), {}
    for name in card.router.options:
        card.router.value = name
        found[name] = float(card._loss_now())
    assert found["with the balance loss"] < 1.15 < 1.3 < found["without it"]


def test_ch09_a_capacity_drops_what_does_not_fit():
    card = router_lab(ch09.top_k_gating)
    card.router.value = "without it"
    assert len(card.load.columns) == 2
    card.capacity.value = 1.0
    chosen, takes = (np.array(card.load.columns[i]["values"][:-1]) for i in (0, 1))
    assert takes.max() == card.room(len(card.line.value)) == 5
    assert np.array_equal(takes, chosen.clip(max=5))
    assert f"{int((chosen - takes).sum())} choices did not fit" in card.gates.note
    card.capacity.value = UNLIMITED
    assert "Hatched" in card.gates.note


def test_ch09_first_choices_come_before_second_ones():
    fits = within_capacity(np.array([[0, 1], [1, 0], [0, 2]]), 2)
    assert fits.tolist() == [[True, True], [True, False], [True, True]]


def test_ch09_a_selected_row_shows_its_own_way():
    card = router_lab()
    card.gates.selected_row = 3
    assert card.flow.title.startswith("Token 3")
    table = np.array(card.gates.values)[3]
    assert {int(a["target"]) for a in card.flow.arrows if a["source"] == "token"} == set(np.nonzero(table)[0])
    card.line.value = card.line.options[1]
    assert card.gates.selected_row == 0


def test_ch09_a_wrong_gating_is_drawn_and_marked():
    card = router_lab(dense)
    assert "cw-wrong" in card._status._dom_classes
    assert np.array(card.gates.wrong).any()
    wild = router_lab(lambda logits, k: (ch09.top_k_gating(logits, k)[0] + 7, ch09.top_k_gating(logits, k)[1]))
    assert "cw-wrong" in wild._status._dom_classes


def test_ch09_a_wrong_loss_is_said():
    card = router_lab(ch09.top_k_gating, lambda *a: 2 * ch09.load_balance_loss(*a))
    assert "cw-wrong" in card._status._dom_classes
    assert "load_balance_loss" in card._status.value


def test_ch09_the_best_point_is_at_the_bottom():
    card = scaling_lab(ch09.fit_power_law)
    assert "cw-yours" in card._status._dom_classes
    for law in LAWS:
        card.law.value = law
        card._go()
        n, d = card.at()
        best, _ = LAWS[law].optimum(10**card.compute.value)
        assert n == pytest.approx(best, rel=0.03)
        assert LAWS[law].loss(n, d) <= min(card.curves.series[0]["y"]) + 1e-4


def test_ch09_the_fit_finds_the_exponents():
    card, law = scaling_lab(ch09.fit_power_law), LAWS["Besiroglu et al. 2024"]
    assert f"C^{law.beta / (law.alpha + law.beta):.3f}" in card.best.note


def test_ch09_a_published_model_sets_the_sliders_until_they_are_moved():
    card = scaling_lab()
    card.model.value = "GPT-3"
    n, d = card.at()
    assert (n, d) == pytest.approx((175e9, 300e9), rel=0.03)
    assert "1.7" in card.curves.note
    card.size.value = 9.0
    assert card.model.value == "none"


def test_ch09_a_wrong_fit_is_drawn_and_marked():
    card = scaling_lab(lambda x, y: (1.0, -0.4))
    assert "cw-wrong" in card._status._dom_classes
    assert scaling_lab(lambda x, y: (float("nan"), 900.0)).best.series


def test_ch09_numbers_are_written_as_people_say_them():
    assert [written(n) for n in (5e5, 7e6, 7e10, 1.4e12)] == ["5e+05", "7 million", "70 billion", "1.4 trillion"]


def test_ch09_a_still_picture_stands_in_without_a_kernel():
    for card in (router_lab(), scaling_lab()):
        bundle = card._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
