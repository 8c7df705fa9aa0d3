"""The widgets of m18 without a browser: what a model writes and why, and a training's curves."""

import base64
import re

import numpy as np
import pytest

from course.lab.decoder import Config, Decoder
from course.lab.training import Run
from course.supplied import m18
from course.widgets import product_writer, training_curves
from course.widgets.training_curves import MOST_POINTS, smoothed
from course.widgets.writing import LENGTH, PROMPT, meaning, numbers

PAIRS = [(12, 34), (99, 98), (7, 60), (0, 5), (86, 47), (50, 20)]


def unfinished(*args):
    raise NotImplementedError


def text(line):
    return "".join(part["text"] for part in line)


@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "12"])
def test_m18_without_a_working_line_the_course_says_what_is_right(function):
    card = product_writer(function)
    assert "cw-course" in card._status._dom_classes
    assert "12*34=840+0630=8040;0408" in text(card.text.lines[1])


def test_m18_it_writes_token_by_token_and_back():
    card = product_writer(m18.product_line)
    assert "cw-yours" in card._status._dom_classes
    assert text(card.text.lines[0]).endswith("12*34=")
    card.next.click()
    card.next.click()
    assert text(card.text.lines[0]).endswith("12*34=84")
    card.buttons[0].click()
    assert text(card.text.lines[0]).endswith("12*34=8")
    card.buttons[2].click()
    assert text(card.text.lines[0]).endswith("12*34=840+0630=8040;0408\u21b5")
    assert card.next.disabled
    assert "complete" in card.chances.heading_before
    card.buttons[3].click()
    assert not card.next.disabled
    assert text(card.text.lines[0]).endswith("12*34=")


def test_m18_bars_and_heads_are_those_of_the_newest_token():
    card = product_writer(m18.product_line)
    for _ in range(3):
        card.next.click()
    assert card.chances.labels[0] == "+"
    assert card.chances.columns[0]["values"][0] > 0.9
    shown, hidden = np.array(card.heads.values), np.array(card.heads.masked)
    assert shown.shape == (8, LENGTH - 1)
    np.testing.assert_allclose(shown.sum(axis=1), 100, atol=0.01)
    assert (hidden.sum(axis=1) == LENGTH - 1 - PROMPT - 3).all()
    assert card.heads.column_labels[PROMPT : PROMPT + 4] == ["8", "4", "0", "\u00b7"]
    assert card.heads.row_labels == [f"{layer}.{head}" for layer in (1, 2) for head in range(4)]


def test_m18_another_product_begins_anew_and_nonsense_is_told():
    card = product_writer(m18.product_line)
    card.buttons[2].click()
    card.asked.value = "86 x 47"
    assert text(card.text.lines[0]).endswith("86*47=")
    card.buttons[2].click()
    assert text(card.text.lines[0]).endswith(";4042\u21b5")
    card.asked.value = "86*"
    assert "two numbers below 100" in text(card.text.lines[0])
    card.next.click()
    assert card.figure() is not None
    assert [numbers(t) for t in ("7*8", " 07 * 8= ", "123*4", "a*b", "-1*2")] == [(7, 8), (7, 8), None, None, None]


def test_m18_a_wrong_line_is_told_and_its_difference_marked():
    card = product_writer(lambda x, y, digits, thought=True: m18.turned(m18.product_line(x, y, digits, thought)))
    assert "cw-wrong" in card._status._dom_classes
    card.next.click()
    assert card.text.lines[0][-1]["role"] == "key"
    assert "Orange" in card.text.note


def test_m18_any_decoder_of_products_can_write():
    model = Decoder(Config(15, d_model=16, layers=1, heads=2, d_ff=8, length=LENGTH), seed=3)
    card = product_writer(m18.product_line, model)
    assert "your model" in card.text.title
    card.buttons[2].click()
    assert np.array(card.heads.values).shape == (2, LENGTH - 1)


@pytest.mark.parametrize("pair", PAIRS)
def test_m18_every_reason_ends_in_the_digit_that_is_written(pair):
    line = m18.product_line(*pair, 2)
    for place in range(PROMPT, LENGTH):
        said = meaning(*pair, place)
        if line[place].isdigit() and place < 19 and place != 10:
            last = re.findall(r"write (\d)|= (\d+)\.|, (\d+)\.", said)[-1]
            assert "".join(last) == line[place], said
    named = [("+", "plus"), ("=", "equals"), (";", "semicolon"), ("\n", "line end")]
    for sign, word in named:
        assert word in meaning(*pair, line.index(sign, PROMPT))


def test_m18_a_still_picture_stands_in_without_a_kernel():
    for card in (product_writer(), training_curves("x", 10)):
        bundle = card._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


# ---- a training's curves -----------------------------------------------------------------------------------------


def a_run(steps: int) -> Run:
    run = Run(step=steps, tokens=10 * steps, seconds=1.5, losses=[2.0 / (1 + i) for i in range(steps)])
    found = {"seconds": 1.0, "errors": 3, "trained on": 0.9, "held out": 0.25}
    run.checks = [{"step": s, "tokens": 10 * s, **found} for s in (50, 100)]
    return run


def test_m18_curves_follow_a_run():
    curves = training_curves("a training", 700)
    assert "begins" in curves._status.value
    curves.drawn_at = 0.0
    curves(a_run(120))
    assert [one["name"] for one in curves.share.series] == ["trained on", "held out"]
    assert curves.share.series[1]["y"] == [0.25, 0.25]
    assert curves.loss.series[0]["y"][0] == 2.0
    assert "Step 120 of at most 700: 1,200 tokens read" in curves._status.value
    assert "At step 100, lines without a fault: trained on 90.0%, held out 25.0%" in curves._status.value
    assert len(curves.figure().axes) == 2


def test_m18_curves_say_of_what_the_share_is():
    curves = training_curves("a training", 700, "letters recalled")
    curves.run = a_run(120)
    curves.finish()
    assert curves.share.title == "Letters recalled"
    assert "At step 100, letters recalled: trained on 90.0%" in curves._status.value
    assert curves.figure().axes[1].get_ylabel() == "letters recalled"


def test_m18_curves_repaint_now_and_then_and_at_the_end():
    curves = training_curves("a training", 700)
    curves(a_run(60))
    assert curves.loss.series == []  # it was drawn a moment ago
    curves.finish()
    assert curves.loss.series[0]["x"][-1] == 60


def test_m18_a_run_of_one_step_or_without_checks_is_no_trouble():
    curves = training_curves("a training", 7)
    for run in (Run(step=1, losses=[1.0]), Run(step=2, losses=[1.0, 0.5])):
        curves.run = run
        curves.redraw()
        curves.figure()
    assert curves.share.series == []


def test_m18_long_runs_are_smoothed():
    steps, losses = smoothed([1.0, 3.0] * 500)
    assert len(steps) <= MOST_POINTS
    assert steps[-1] == 1000
    assert list(losses[:2]) == pytest.approx([1.8, 2.2])  # the means of five steps each
