"""The widgets of m19 without a browser: the rotation dial, and RoPE beyond the trained distance."""

import numpy as np
import pytest
import torch

from course.supplied import m19
from course.widgets import far_dial, rotation_dial
from course.widgets.beyond import FACTOR, FARTHEST, TRAINED


def unfinished(*args):
    raise NotImplementedError


def state(card) -> str:
    return next(s for s in ("yours", "course", "wrong") if f"cw-{s}" in card._status._dom_classes)


@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None])
def test_m19_without_a_working_function_the_course_draws(function):
    assert state(rotation_dial(function)) == "course"
    card = far_dial(function, function)
    for way in ("NTK", "YaRN"):
        card.way.value = way
        assert state(card) == "course"
        assert card.table.greyed


def test_m19_the_dial_is_turned_by_ones_own_rotation():
    card = rotation_dial(m19.rotate_complex)
    assert state(card) == "yours"
    assert "rotate_complex" in card._status.value
    assert state(rotation_dial(m19.rotate_halves)) == "wrong"


def test_m19_ones_own_speeds_are_drawn_and_wrong_ones_marked():
    card = far_dial(
        m19.ntk_speeds, lambda speeds, factor, *rest: (speeds / factor, m19.yarn_speeds(speeds, 4.0, 64, 1.0, 32.0)[1])
    )
    assert state(card) == "yours"
    assert not card.table.greyed
    card.way.value = "NTK"
    assert state(card) == "yours"
    speeds = m19.ntk_speeds(16, float(FACTOR)).numpy()
    np.testing.assert_allclose(np.array(card.table.values)[1], speeds * 100 / (2 * np.pi), rtol=1e-3)
    card.way.value = "YaRN"
    assert state(card) == "wrong"
    assert np.array(card.table.wrong)[1].any()
    assert not np.array(card.table.wrong)[0].any()


def test_m19_the_note_says_what_is_new():
    card = far_dial()
    card.pair.value = 0
    assert "every angle had come up" in card.plane.note
    card.pair.value = 7
    assert "no text in training had" in card.plane.note
    card.distance.value = TRAINED - 1
    assert "nothing new" in card.plane.note
    card.distance.value = FARTHEST
    for way in ("linear", "NTK", "YaRN"):
        card.way.value = way
        assert "nothing new" in card.plane.note
    assert card.curves.marker == FARTHEST
    assert "252 steps" in card.plane.title


def test_m19_the_curve_without_scaling_is_always_there():
    card = far_dial()
    assert [one["name"] for one in card.curves.series] == ["no scaling", "no scaling (beyond)"]
    card.way.value = "linear"
    assert [one["name"] for one in card.curves.series][2:] == ["linear", "linear (beyond)"]
    assert card.curves.series[2]["y"][0] == pytest.approx(1)
    assert len(card.curves.series[3]["x"]) == FARTHEST - TRAINED + 2


def test_m19_still_pictures_stand_in_without_a_kernel():
    for card in (far_dial(), rotation_dial(lambda x, positions, speeds: torch.zeros_like(x))):
        card.figure()
        assert card._repr_mimebundle_()["image/png"]
