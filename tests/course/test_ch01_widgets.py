"""The widgets of ch01 without a browser: whose function draws, and what they set for the views."""

import base64

import numpy as np
import pytest

from course.supplied import ch01
from course.widgets import dot_product_plane, softmax_lab, token_attention

MADE = [token_attention, softmax_lab, dot_product_plane]
THREE = (ch01.similarity, ch01.softmax, ch01.weighted_average)


def unfinished(*args):
    raise NotImplementedError


def unstable(x, axis=-1):
    powers = np.exp(x)
    return powers / powers.sum(axis=axis, keepdims=True)


def words(lines):
    """All text of a formula, fractions included."""
    if isinstance(lines, list):
        return " ".join(map(words, lines))
    return lines["text"] if "text" in lines else words(next(iter(lines.values())))


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(function)
    assert "cw-course" in card._status._dom_classes
    assert card._status.value


@pytest.mark.parametrize("make", MADE)
def test_a_still_picture_stands_in_without_a_kernel(make):
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_three_right_functions_draw_as_yours():
    card = token_attention(*THREE)
    assert "cw-yours" in card._status._dom_classes
    assert all(name in card._status.value for name in ("similarity", "softmax", "weighted_average"))
    assert not any(card.bars.wrong)
    assert not card.bars.greyed


def test_it_looks_at_the_cat_and_with_another_ending_at_the_mat():
    card = token_attention(*THREE)
    weights = dict(zip(card.bars.labels, card.bars.columns[1]["values"], strict=True))
    assert max(weights, key=weights.get) == "cat"
    assert "noun" in words(card.formula.lines)
    assert "alive" in words(card.formula.lines)
    assert "4.00" in words(card.formula.lines)
    card.ending.value = "soft"
    weights = dict(zip(card.bars.labels, card.bars.columns[1]["values"], strict=True))
    assert max(weights, key=weights.get) == "mat"
    assert card.alive.value == -1.0
    assert card.bars.labels[-1] == "soft"
    assert card.bars.heading_chip == "it"


def test_choosing_a_token_shows_its_row():
    card = token_attention(*THREE)
    card.vectors.selected_row = 1
    assert card.token.value == 1
    x = card.tokens()
    assert np.allclose(card.bars.columns[0]["values"], x @ x[1])
    assert np.allclose(card.average.columns[0]["values"], x[1])
    assert np.allclose(card.average.columns[1]["values"], ch01.simple_attention(x)[0][1])
    card.vectors.hover = [5, 0]
    assert "mat" in words(card.formula.lines)


def test_stretching_a_token_multiplies_its_similarities_and_reset_undoes_it():
    card = token_attention(*THREE)
    before = np.array(card.bars.columns[0]["values"])
    card.stretch.value = 2.0
    factors = np.where(np.arange(10) == 7, 4, 2)
    assert np.allclose(card.bars.columns[0]["values"], factors * before)
    card.token.value = 1
    assert card.stretch.value == 1.0  # the slider shows the chosen token's own
    card.reset()
    assert np.allclose(card.bars.columns[0]["values"], before)


def test_a_wrong_function_is_drawn_and_marked():
    card = token_attention(ch01.similarity, ch01.softmax, lambda w, v: w.T @ v)
    assert "cw-wrong" in card._status._dom_classes
    assert "weighted_average" in card._status.value
    assert any(card.average.wrong)
    assert not any(card.bars.wrong)
    card = token_attention(lambda x: x @ x.T / 2)
    assert "similarity" in card._status.value
    assert card.bars.columns[0]["judged"]
    assert not card.bars.columns[1]["judged"]
    assert "not" in words(card.formula.lines)


def test_softmax_shares_one_and_the_temperature_sharpens():
    card = softmax_lab(ch01.softmax)
    assert sum(card.bars.columns[1]["values"]) == pytest.approx(1)
    card.temperature.value = 0.1
    assert card.bars.columns[1]["values"][0] > 0.99
    card.temperature.value = 10.0
    assert max(card.bars.columns[1]["values"]) < 0.32
    assert card.curves.marker == 10.0
    assert np.allclose(np.sum([one["y"] for one in card.curves.series], axis=0), 1)


@pytest.mark.parametrize("added", ["10", "1000", "\u22121000"])
def test_adding_to_every_score_changes_nothing_but_breaks_the_plain_formula(added):
    card = softmax_lab(ch01.softmax)
    before = card.bars.columns[1]["values"]
    card.offset.value = added
    assert np.allclose(card.bars.columns[1]["values"], before)
    assert ("NaN" in words(card.formula.lines)) == ("1000" in added)


def test_an_unstable_softmax_is_found_out_without_a_warning(recwarn):
    card = softmax_lab(unstable)
    assert "cw-yours" in card._status._dom_classes or "cw-wrong" in card._status._dom_classes
    card.temperature.value = 1.0
    card.offset.value = "1000"
    assert "cw-wrong" in card._status._dom_classes
    assert all(card.bars.wrong)
    assert not recwarn.list


def test_vectors_turn_and_stretch_by_sliders_and_by_dragging():
    card = dot_product_plane(ch01.similarity)
    card.length.value = 1.0
    card.angle.value = 90
    assert np.allclose(card.x[0], [0, 1])
    vectors = [dict(v) for v in card.plane.vectors]
    vectors[0] |= {"x": -2.0, "y": 0.0}
    card.plane.vectors = vectors
    assert card.length.value == 2.0
    assert abs(card.angle.value) == 180
    assert np.allclose(card.table.values, card.x @ card.x.T)
    card.table.selected_row = 2
    assert card.word.value == "car"
    assert [v["role"] for v in card.plane.vectors] == ["key", "key", "query"]


def test_a_vector_of_length_zero_keeps_its_angle():
    card = dot_product_plane(ch01.similarity)
    card.length.value = 0.0
    assert card.angle.value == pytest.approx(20)
    card.length.value = 2.0
    assert np.allclose(card.x[0], 2 * np.array([np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))]))


def test_a_wrong_similarity_is_marked_in_the_table():
    card = dot_product_plane(lambda x: x @ x.T / np.sqrt(2))
    assert "cw-wrong" in card._status._dom_classes
    assert np.all(card.table.wrong)
