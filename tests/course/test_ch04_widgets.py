"""The widgets of ch04 without a browser: whose function draws, and what the controls do."""

import base64

import numpy as np
import pytest

from course.supplied import ch04
from course.widgets import offset_clock, rope_dial, sinusoid_map


def unfinished(*args):
    raise NotImplementedError


def halves(n, d_model):
    table = ch04.sinusoidal_encoding(n, d_model)
    return np.hstack([table[:, ::2], table[:, 1::2]])


def back(k, d_model):
    return ch04.offset_matrix(k, d_model).T


def row_numbers(x, positions, base=10000.0):
    return ch04.apply_rope(x, np.arange(len(x)), base)


def added(x, positions, base=10000.0):
    return x + ch04.sinusoidal_encoding(200, x.shape[1])[positions]


RIGHT = [
    (sinusoid_map, ch04.sinusoidal_encoding), (offset_clock, ch04.offset_matrix), (rope_dial, ch04.apply_rope),
]  # fmt: skip
WRONG = [(sinusoid_map, halves, "map"), (offset_clock, back, "matrix"), (rope_dial, row_numbers, "rows")]


@pytest.mark.parametrize("make", [sinusoid_map, offset_clock, rope_dial])
@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(function)
    assert "cw-course" in card._status._dom_classes
    assert card._status.value


@pytest.mark.parametrize(("make", "function"), RIGHT)
def test_a_right_function_draws_as_yours(make, function):
    assert "cw-yours" in make(function)._status._dom_classes


@pytest.mark.parametrize(("make", "function", "table"), WRONG)
def test_a_wrong_function_is_drawn_and_marked(make, function, table):
    card = make(function)
    assert "cw-wrong" in card._status._dom_classes
    assert "differs first at" in card._status.value
    assert np.any(getattr(card, table).wrong)


@pytest.mark.parametrize("make", [sinusoid_map, offset_clock, rope_dial])
def test_a_still_picture_stands_in_without_a_kernel(make):
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_slider_and_row_choose_the_same_dimension():
    card = sinusoid_map()
    card.dimension.value = 7
    assert card.map.selected_row == 7
    assert [s["name"] for s in card.curves.series] == ["dimension 7", "dimension 6"]
    card.map.selected_row = 2
    assert card.dimension.value == 2
    assert np.allclose(card.curves.series[0]["y"], ch04.sinusoidal_encoding(32, 16)[:, 2])


def test_the_matrix_brings_the_hand_to_the_later_position():
    card = offset_clock()
    card.t.value, card.k.value, card.pair.value = 5, -7, 2
    before, after = card.plane.vectors
    assert np.arctan2(before["y"], before["x"]) == pytest.approx(5 * 0.01)
    assert np.arctan2(after["y"], after["x"]) == pytest.approx(-2 * 0.01)
    assert np.allclose(card.matrix.values, ch04.offset_matrix(-7, 8))


def test_the_matrix_depends_on_the_steps_only():
    card = offset_clock()
    before = card.matrix.values
    card.t.value = 17
    assert card.matrix.values == before


def test_a_wrong_matrix_shows_where_the_hand_should_be():
    assert [v["name"] for v in offset_clock(back).plane.vectors][2:] == ["right for 5"]


def test_the_score_depends_on_the_distance_only():
    card = rope_dial(ch04.apply_rope)
    here, far = card.curves.series
    assert np.allclose(here["y"], far["y"])
    score = here["y"][here["x"].index(7.0)]
    card.together.value = True
    card.at_q.value = 12
    assert card.at_k.value == 19
    here = card.curves.series[0]
    assert here["y"][here["x"].index(7.0)] == pytest.approx(score)
    assert card.curves.marker == 7


def test_moving_both_stops_at_the_end():
    card = rope_dial()
    card.together.value = True
    card.at_q.value = 30
    assert (card.at_q.value, card.at_k.value) == (23, 30)


def test_an_encoding_that_is_added_gives_two_different_curves():
    here, far = rope_dial(added).curves.series
    assert not np.allclose(here["y"], far["y"])


def test_dragging_changes_what_is_turned_and_reset_puts_it_back():
    card = rope_dial()
    vectors = [dict(v) for v in card.plane.vectors]
    vectors[0]["y"] = 2.0
    card.plane.vectors = vectors
    assert card.k[1] == 2.0
    turned = ch04.apply_rope(np.tile(card.k, 4)[None], np.array([13]))[0, 2:4]
    assert [card.plane.vectors[2]["x"], card.plane.vectors[2]["y"]] == pytest.approx(turned)
    card.reset()
    assert card.plane.vectors[0]["y"] == -1.6
