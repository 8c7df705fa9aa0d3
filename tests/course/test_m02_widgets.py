"""The widgets of m02 without a browser: whose functions draw and train, how training starts, stops and fails."""

import asyncio
import base64
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from course.supplied import m02
from course.widgets import backprop_flow, table_trainer
from course.widgets.backprop_flow import PLACES, STEPS, TARGETS, W_1, W_2
from course.widgets.table_trainer import BOTH, ONE, TableTrainer, stop_training

PIECES = [m02.linear_forward, m02.linear_backward, m02.relu_backward, m02.softmax_cross_entropy_backward]


def unfinished(*args):
    raise NotImplementedError


BROKEN = [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x", lambda *a: (np.zeros(3), {})]


@pytest.mark.parametrize("function", BROKEN)
def test_m02_without_a_working_function_the_course_draws_and_says_so(function):
    cards = [table_trainer(function), table_trainer(m02.network_forward, function), backprop_flow(function)]
    cards += [backprop_flow(*PIECES[:i], function, *PIECES[i + 1 :]) for i in range(1, 4)]
    for card in cards:
        assert "cw-course" in card._status._dom_classes
        assert card._status.value
    assert cards[0].advance(2)


def test_m02_a_still_picture_stands_in_without_a_kernel():
    for card in (table_trainer(), backprop_flow()):
        bundle = card._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


# ---- the flow of gradients ---------------------------------------------------------------------------------------


def boxes(card):
    return {box["name"]: np.array(box["values"]) for box in card.flow.boxes}


def test_m02_the_boxes_hold_the_gradients_that_are_measured():
    card = backprop_flow(*PIECES)
    assert "cw-yours" in card._status._dom_classes
    found = boxes(card)
    x = card.x

    def loss(x, w_1, w_2):
        a = np.maximum(m02.linear_forward(x, w_1, np.array(found["b1"])), 0)
        return m02.mean_loss(m02.linear_forward(a, w_2, np.array(found["b2"])), TARGETS)

    assert loss(x, W_1, W_2) == pytest.approx(found["loss"].item())
    for name, measured in {
        "grad x": m02.numeric_gradient(lambda x: loss(x, W_1, W_2), x),
        "grad w1": m02.numeric_gradient(lambda w: loss(x, w, W_2), W_1),
        "grad w2": m02.numeric_gradient(lambda w: loss(x, W_1, w), W_2),
    }.items():
        np.testing.assert_allclose(found[name], measured.ravel(), atol=1e-8)
    assert (found["z"] < 0).any()
    assert (found["grad z"][found["z"] < 0] == 0).all()


def test_m02_stepping_lights_boxes_and_shows_their_numbers():
    card = backprop_flow(*PIECES)
    for step in range(len(STEPS)):
        card.stepper.step = step
        assert card.flow.step == step
        assert PLACES[card.flow.selected][2] == step
        assert np.ravel(card.table.values).tolist() == pytest.approx(boxes(card)[card.flow.selected].tolist())
        assert card.flow.note
    card.flow.selected = "grad w1"
    assert np.shape(card.table.values) == (3, 4)
    assert "w1" in card.table.note
    card.stepper.step = 0
    assert card.flow.selected == "x"


def test_m02_examples_meet_in_the_weights_gradients_only():
    """As the lesson has it: another input of example 1 leaves the rows of example 2 alone, and changes grad w1."""
    card = backprop_flow(*PIECES)
    before = boxes(card)
    card.first.value = -2.0
    after = boxes(card)
    for name in ("z", "grad logits", "grad z", "grad x"):
        one, other = (found[name].reshape(2, -1) for found in (before, after))
        assert (one[0] != other[0]).any()
        np.testing.assert_array_equal(one[1], other[1])
    assert (before["grad w1"] != after["grad w1"]).any()


def test_m02_a_wrong_piece_is_drawn_marked_and_named():
    card = backprop_flow(*PIECES[:2], lambda g, x: g * (g > 0), PIECES[3])
    assert [box["name"] for box in card.flow.boxes if box["wrong"]] == ["grad z"]
    assert "relu_backward" in card._status.value
    assert "cw-wrong" in card._status._dom_classes


# ---- the training ------------------------------------------------------------------------------------------------


def test_m02_it_learns_the_table():
    card = table_trainer(m02.network_forward, m02.train_step)
    assert "cw-yours" in card._status._dom_classes
    card.rate.value = 0.1
    card.advance(60)
    assert card.run.right.all()
    assert (np.array(card.table.values) > 0).all()
    assert "81 of 81 right" in card.table.note
    assert not card.advance(500)  # it ends by itself
    assert card.run.count < 500
    card.table.hover = [6, 7]
    assert "7 \N{MULTIPLICATION SIGN} 8 = 56: it says 56" in card.table.note
    card.unit.value = 5
    np.testing.assert_allclose(np.ravel(card.seen_by.values), card.run.activations[:, 5])


@pytest.mark.parametrize(("kept", "count"), [(BOTH, 16), (ONE, 8)])
def test_m02_pairs_kept_from_it_are_not_learned(kept, count):
    card = table_trainer()
    card.rate.value, card.kept.value = 0.1, kept
    card.advance(80)
    assert f"{81 - count} of {81 - count} right, and" in card.table.note
    assert card.run.right[card.run.hidden].sum() <= 2
    assert [one["name"] for one in card.share.series] == ["pairs it is trained with", "pairs kept from it"]
    card.reset()
    assert card.run.count == 0
    assert card.loss.series == []


def test_m02_a_wrong_step_trains_and_is_marked():
    def uphill(pairs, targets, p, states, lr):
        return m02.train_step(pairs, targets, p, states, -lr)

    card = table_trainer(m02.network_forward, uphill)
    assert "cw-wrong" in card._status._dom_classes
    assert "train_step" in card._status.value
    card.advance(5)
    assert card.run.rows[-1][1] > card.run.rows[0][1]


def test_m02_long_trainings_keep_their_ends():
    card = table_trainer()
    card.rate.value = 0.001
    card.advance(700)
    steps = [row[0] for row in card.run.rows]
    assert len(steps) <= 301
    assert (steps[0], steps[-1]) == (0, card.run.count)
    assert steps == sorted(steps)


def failing_after(count):
    done = []

    def step(*args):
        done.append(1)
        if len(done) > count:
            raise ZeroDivisionError("no more")
        return m02.train_step(*args)

    return step


def test_m02_an_error_of_the_students_stops_it_and_is_told():
    card = table_trainer(m02.network_forward, failing_after(5))  # two steps try it out
    assert not card.advance(10)
    assert card.run.count == 3
    assert "ZeroDivisionError: no more" in card._status.value
    assert not card.advance(10)
    card.reset()
    assert "ZeroDivisionError" not in card._status.value


def test_m02_a_loss_that_is_no_number_stops_it():
    card = table_trainer(m02.network_forward, lambda *a: (*m02.train_step(*a)[:2], float("nan")))
    assert not card.advance(10)
    assert "the loss is nan" in card._status.value


def apart(function, *args):
    """Call it in a thread of its own: in this one a loop may be running, after tests with a browser."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


def test_m02_without_an_event_loop_nothing_is_left_behind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card = table_trainer()
        apart(card.start)
    assert "advance(100)" in card._status.value.replace("<code>", "")
    assert card.task is None
    card.advance(3)
    assert card.run.count == 3


async def until(condition):
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


def test_m02_it_trains_beside_everything_else():
    async def scene():
        card, ticks = table_trainer(), 0
        card.buttons[0].click()
        while card.run.count < 4:
            ticks += 1
            await asyncio.sleep(0.002)
        assert ticks > 10  # others had their turns
        card.start()  # once is enough
        card.buttons[1].click()
        count = card.run.count
        await asyncio.sleep(0.2)
        assert card.run.count == count
        card.start()
        await until(lambda: card.run.count > count)
        card.buttons[2].click()
        assert card.run.count == 0
        assert card.task is None

    apart(asyncio.run, scene())


def test_m02_only_one_card_trains():
    async def scene():
        first = table_trainer()
        first.start()
        await until(lambda: first.run.count)
        second = table_trainer()  # as when the cell is run once more
        assert first.task is None
        first.start()
        second.start()
        assert first.task is None
        await until(lambda: second.run.count)
        stop_training()
        assert second.task is None
        assert TableTrainer.training is None

    apart(asyncio.run, scene())


def test_m02_what_stops_it_while_it_runs_by_itself_is_told():
    async def scene():
        card = table_trainer(m02.network_forward, failing_after(4))
        card.start()
        await until(lambda: card.task is None)
        assert "no more" in card._status.value

    apart(asyncio.run, scene())
