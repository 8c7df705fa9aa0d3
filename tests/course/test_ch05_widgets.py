"""The widgets of ch05 without a browser: whose function draws, and what they set for the views."""

import base64

import numpy as np
import pytest

from course.supplied import ch05
from course.supplied.ch03 import multi_head_attention
from course.widgets import encoder_steps, gelu_curve, norm_lab
from course.widgets.encoder_steps import FEATURES, HEADS, STATIONS, TOKENS, X, weights

MADE = [encoder_steps, gelu_curve, norm_lab]
SAT, WHO, WHERE, EVENT = TOKENS.index("sat"), FEATURES.index("who"), FEATURES.index("where"), FEATURES.index("event")


def unfinished(*args):
    raise NotImplementedError


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


# ---- the block, station by station -------------------------------------------------------------------------------


def own_steps(**others):
    return encoder_steps(**{"block": ch05.encoder_block, "norm": ch05.layer_norm, "ffn": ch05.feed_forward} | others)


def values(card, station):
    return np.array(card.flow.boxes[STATIONS.index(station)]["values"])


def test_the_last_station_is_the_blocks_output():
    card = own_steps()
    assert "cw-yours" in card._status._dom_classes
    assert np.allclose(values(card, "add 2"), ch05.encoder_block(X, weights(), HEADS)[SAT])
    assert np.allclose(values(card, "add 1") - values(card, "x"), values(card, "attention"))
    assert np.allclose(values(card, "add 2") - values(card, "add 1"), values(card, "feed-forward"))


def test_the_verb_finds_out_who_and_where_and_becomes_an_event():
    """What the text promises of the weights made by hand."""
    out = ch05.encoder_block(X, weights(), HEADS)
    assert min(out[SAT, [WHO, WHERE, EVENT]]) > 2
    assert np.abs(np.delete(out, SAT, 0)[:, [WHO, EVENT]]).max() < 0.5
    shares = multi_head_attention(ch05.layer_norm(X, **weights()["norm_1"]), weights()["attention"], HEADS)[1]
    assert shares[:, SAT].argmax(axis=1).tolist() == [TOKENS.index("cat"), TOKENS.index("mats")]
    causal = ch05.encoder_block(X, weights(), HEADS, np.tri(len(TOKENS), dtype=bool))
    assert causal[SAT, WHO] > 2
    assert causal[SAT, WHERE] < 0
    assert causal[SAT, EVENT] < 1


def test_stepping_lights_stations_and_shows_their_numbers():
    card = own_steps()
    for step, station in enumerate(STATIONS):
        card.stepper.step = step
        assert card.flow.step == step
        assert card.flow.selected == station
        assert np.allclose(card.bars.columns[-1]["values"], values(card, station))
        assert card.flow.note
    sums = [np.array(column["values"]) for column in card.bars.columns]
    assert np.allclose(sums[0] + sums[1], sums[2])


def test_a_click_on_a_box_goes_to_its_step():
    card = own_steps()
    card.flow.selected = "norm 2"
    assert card.stepper.step == 4
    card.flow.selected = ""  # clicked once more
    assert card.stepper.step == 4


def test_the_mask_hides_later_tokens():
    card = own_steps()
    before = values(card, "add 2")
    card.causal.value = True
    assert card.looks.masked == [False, False, False, True, True]
    assert all(column["values"][-1] == 0 for column in card.looks.columns)
    assert values(card, "add 2")[EVENT] < before[EVENT] - 2


def test_another_token():
    card = own_steps()
    card.token.value = "the"
    assert np.allclose(values(card, "x"), X[0])
    assert np.allclose(values(card, "add 2"), ch05.encoder_block(X, weights(), HEADS)[0])


def test_a_block_without_residuals_is_marked_at_the_additions():
    def bare(x, p, heads, mask=None):
        z = multi_head_attention(ch05.layer_norm(x, **p["norm_1"]), p["attention"], heads, mask)[0]
        return ch05.feed_forward(ch05.layer_norm(z, **p["norm_2"]), p["ffn"])

    card = own_steps(block=bare)
    assert [box["name"] for box in card.flow.boxes if box["wrong"]] == ["add 1", "add 2"]
    assert "encoder_block" in card._status.value
    assert "cw-wrong" in card._status._dom_classes


def test_a_norm_that_forgets_its_gain_is_marked_and_named():
    card = own_steps(norm=lambda x, gain, bias: ch05.layer_norm(x, 1.0, bias))
    assert [box["name"] for box in card.flow.boxes if box["wrong"]] == ["norm 1", "norm 2"]
    assert "layer_norm" in card._status.value


def test_what_is_wrong_is_said_before_what_is_missing():
    card = encoder_steps(None, None, lambda x, p: x)
    assert "feed_forward" in card._status.value
    assert "cw-wrong" in card._status._dom_classes


# ---- layer norm --------------------------------------------------------------------------------------------------


def after(card):
    return np.array(card.table.values)


def test_sliders_change_the_first_row_only():
    card = norm_lab(ch05.layer_norm)
    before = after(card)
    assert np.allclose(before.mean(axis=1), 0)
    assert np.allclose(before.var(axis=1), 1, atol=1e-4)
    card.features[1].value = 7.0
    assert not np.allclose(after(card)[0], before[0])
    assert np.array_equal(after(card)[1:], before[1:])


def test_buttons_change_the_features_and_not_the_result():
    card = norm_lab(ch05.layer_norm)
    before = after(card)
    card.add_one()
    assert [f.value for f in card.features] == pytest.approx([4.0, 2.0, -1.0, 1.4])
    card.halve()
    assert np.allclose(after(card), before, atol=1e-3)
    card.level()
    assert np.allclose(after(card)[0], 0)
    card.reset()
    assert np.array_equal(after(card), before)


def test_gain_bias_and_eps_reach_the_function():
    card = norm_lab(ch05.layer_norm)
    card.gain.value, card.bias.value, card.eps.value = -2.0, 1.5, 10.0
    assert np.allclose(after(card), ch05.layer_norm(card.x, np.full(4, -2.0), np.full(4, 1.5), 10.0))


def test_a_norm_over_the_tokens_is_drawn_and_marked():
    def over_tokens(x, gain, bias, eps):
        return gain * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias

    card = norm_lab(over_tokens)
    assert "cw-wrong" in card._status._dom_classes
    assert np.allclose(after(card), over_tokens(card.x, 1.0, 0.0, 1e-5))
    assert np.any(card.table.wrong)


# ---- GELU --------------------------------------------------------------------------------------------------------


def test_the_curve_is_the_students():
    card = gelu_curve(lambda x: np.maximum(x, 0))
    assert "cw-wrong" in card._status._dom_classes
    assert card.curves.series[0]["y"] == card.curves.series[1]["y"]
    card = gelu_curve(ch05.gelu)
    card.z.value = 2.0
    assert card.curves.marker == 2.0
    assert card.bars.columns[0]["values"][1] == pytest.approx(1.9546, abs=1e-4)
    assert "98%" in card.bars.note


def test_at_zero_there_is_no_share_to_tell():
    card = gelu_curve(ch05.gelu)
    card.z.value = 0.0
    assert "both give 0" in card.bars.note
