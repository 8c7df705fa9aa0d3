"""The widgets of ch10 without a browser: whose function draws, what controls change, what the pictures say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course.supplied import ch07, ch10
from course.widgets import induction_stripe, residual_bus, whole_course

RIGHT = {
    induction_stripe: (ch10.induction_score, ch10.previous_token_score),
    residual_bus: (ch10.logit_lens,),
    whole_course: (lambda tokens, p, heads: ch07.decoder_logits(tokens, p, heads),),
}


def unfinished(*args):
    raise NotImplementedError


@pytest.mark.parametrize("make", RIGHT)
@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(*[function] * len(RIGHT[make]))
    assert "cw-course" in card._status._dom_classes
    assert card._status.value


@pytest.mark.parametrize(("make", "functions"), RIGHT.items())
def test_right_functions_draw_as_yours(make, functions):
    card = make(*functions)
    assert "cw-yours" in card._status._dom_classes
    assert card.figure().axes


def test_the_stripe_moves_with_the_slider():
    card = induction_stripe()
    assert card.head.value.startswith("2.")  # the best induction head is shown first
    for period in (16, 20, 24):
        card.period.value = period
        weights = np.array(card.weights.values)
        offsets = [np.diagonal(weights, -back)[max(0, period - back) :].mean() for back in range(1, 24)]
        assert 1 + int(np.argmax(offsets)) == period - 1
        assert card.weights.row_labels[period:] == card.weights.row_labels[: 32 - period]


def test_bars_show_the_scores_of_all_heads_and_heads_can_be_chosen():
    card = induction_stripe(ch10.induction_score, ch10.previous_token_score)
    previous, induction = (np.array(column["values"]) for column in card.scores.columns)
    np.testing.assert_allclose(induction, ch10.induction_score(card.attention, 16), rtol=1e-5)
    assert previous.argmax() < 4 <= induction.argmax()
    card.head.value = "1.2"
    np.testing.assert_allclose(card.weights.values, card.attention[2], rtol=1e-5)


def test_a_selected_row_says_where_its_token_looks():
    card = induction_stripe()
    card.weights.selected_row = 20
    assert f"Position 20, token {card.text[20]!r}" in card.weights.note
    assert f"on position 5, token {card.text[5]!r}" in card.weights.note


@pytest.mark.parametrize("score", [0, 1])
def test_a_wrong_score_is_drawn_and_marked(score):
    functions = list(RIGHT[induction_stripe])
    functions[score] = lambda attention, *_: attention.diagonal(0, 1, 2).mean(-1)
    card = induction_stripe(*functions)
    assert "cw-wrong" in card._status._dom_classes
    assert ("induction_score", "previous_token_score")[score] in card._status.value
    assert any(card.scores.wrong)
    assert [column["judged"] for column in card.scores.columns] == [score == 1, score == 0]


def test_the_last_station_is_the_model_itself():
    card = residual_bus(ch10.logit_lens)
    for position in (0, 9, 20):
        card.position.value = position
        ids = card.model.encode(card.line.value)
        expected = ch07.decoder_logits(ids, card.model.p, card.model.heads)[0, position].softmax(-1)
        np.testing.assert_allclose(card.table.values[-1], expected.sort(descending=True).values[:12], rtol=1e-4)


def test_stepping_lights_a_station_and_its_row():
    card = residual_bus()
    for step in range(len(card.inside.stations)):
        card.stepper.step = step
        assert card.bus.step == card.table.selected_row == step
        assert card.inside.stations[step] in card.bus.note
    values = {box["name"]: np.array(box["values"]) for box in card.bus.boxes}
    np.testing.assert_allclose(values["embedding"] + values["attention 1"], values["stream 1"], atol=1e-5)


def test_a_lens_without_the_norm_is_marked_where_it_is_wrong():
    card = residual_bus(lambda residuals, p: residuals @ p["embed"].T)
    assert "cw-wrong" in card._status._dom_classes
    assert np.any(card.table.wrong)
    assert any(box["wrong"] for box in card.bus.boxes)


def test_a_lens_that_still_has_its_graph_is_drawn():
    card = residual_bus(lambda residuals, p: ch10.logit_lens(residuals, p).requires_grad_().clone())
    assert "cw-yours" in card._status._dom_classes


def test_the_whole_course_writes():
    card = whole_course()
    before = card.text
    for _ in range(3):
        card._write()
    assert len(card.text) == len(before) + 3
    assert card.text in card.flow.note
    assert next(b for b in card.flow.boxes if b["name"] == "text")["shape"] == f"{len(card.text)} characters"
    for step in range(len(card.stepper.names)):
        card.stepper.step = step
        assert card.flow.step == step
    card.line.value = card.line.options[1]
    assert card.text == card.line.options[1]


def test_what_course_carry_hands_out_counts_as_the_courses():
    assert "cw-course" in whole_course(ch07.decoder_logits)._status._dom_classes


def test_a_decoder_that_is_wrong_is_marked():
    card = whole_course(lambda tokens, p, heads: torch.zeros(*tokens.shape, len(p["embed"])))
    assert next(box for box in card.flow.boxes if box["name"] == "logits")["wrong"]
