"""The widgets of ch08 without a browser: whose functions draw, how the cache fills, what the sliders count."""

import base64

import numpy as np
import pytest
import torch

from course.supplied import ch08
from course.supplied.ch07 import init_decoder
from course.trained import Trained
from course.widgets import cache_budget, kv_cache_lab
from course.widgets.cache_budget import MODELS
from course.widgets.cache_growth import CAPACITY, KEYS

CHARACTERS = ["\n", " ", *"ISTMabcdefghijklmnopqrstuvwxyz"]


@pytest.fixture(scope="module")
def model() -> Trained:
    """An untrained model, with embeddings large enough to matter."""
    p = init_decoder(len(CHARACTERS), d_model=12, heads=3, layers=2, d_ff=8, length=32, seed=1)
    return Trained({**p, "embed": 30 * p["embed"], "position": 30 * p["position"]}, 3, CHARACTERS)


def position_0(token, p, heads, cache):
    moved = {**p, "position": p["position"][:1].expand_as(p["position"])}
    return ch08.decode_step(token, moved, heads, cache)


def unfinished(*args):
    raise NotImplementedError


BROKEN = [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"]


@pytest.mark.parametrize("function", BROKEN)
def test_without_a_working_function_the_course_draws_and_says_so(model, function):
    for card in (kv_cache_lab(model, function), cache_budget(function)):
        assert "cw-course" in card._status._dom_classes
        assert card._status.value


def test_the_cache_grows_by_a_column_for_each_token(model):
    card = kv_cache_lab(model, ch08.decode_step, ch08.KVCache)
    assert "cw-yours" in card._status._dom_classes
    before, t = np.array(card.memory.values), len(card.ids)
    for _ in range(3):
        card.next.click()
    after = np.array(card.memory.values)
    assert len(card.ids) == t + 3
    assert np.array_equal(after[:, :t], before[:, :t])
    assert np.all(after[:, : t + 3] > 0)
    assert not np.any(after[:, t + 3 :])
    assert np.array(card.memory.masked).sum() == 4 * (CAPACITY - t - 3)
    assert card.work.columns[0]["values"] == [t + 3, (t + 3) * (t + 4) / 2]
    assert f"{2 * 2 * 12 * (t + 3) * 4:,} bytes" in card.text.lines[1][0]["text"]


def test_it_stops_when_the_picture_is_full_and_starts_over(model):
    card = kv_cache_lab(model)
    while not card.next.disabled:
        card.next.click()
    assert len(card.ids) == CAPACITY
    card.prompt.value = card.prompt.options[1]
    assert model.decode(card.ids) == card.prompt.options[1]
    assert not card.next.disabled


def test_a_wrong_step_is_drawn_and_marked(model):
    card = kv_cache_lab(model, position_0, ch08.KVCache)
    assert "cw-wrong" in card._status._dom_classes
    assert not np.any(np.array(card.memory.wrong)[:, 0])  # at position 0 it is right
    assert np.any(np.array(card.memory.wrong)[:, 1])
    card.shown.value = KEYS
    assert np.array(card.memory.values).shape == (4, CAPACITY)
    assert np.any(card.memory.wrong)


def test_the_keys_are_those_of_the_model(model):
    card = kv_cache_lab(model)
    card.shown.value = KEYS
    cache = ch08.KVCache(2, 3, 4)
    for token in card.ids:
        ch08.decode_step(token, model.p, 3, cache)
    shown = np.array(card.memory.values)[:, : len(card.ids)]
    assert np.allclose(shown, cache.keys[0][0].T, atol=1e-5)


@pytest.mark.parametrize("broken", [lambda *a: 3, lambda *a: unfinished(), int])
def test_a_broken_cache_is_replaced_and_that_is_said(model, broken):
    card = kv_cache_lab(model, ch08.decode_step, broken)
    assert "cw-yours" in card._status._dom_classes
    assert "KVCache" in card._status.value


def test_logits_that_are_no_numbers_do_not_stop_the_text(model):
    card = kv_cache_lab(model, lambda *a: ch08.decode_step(*a) * torch.nan)
    card.next.click()
    assert "cw-wrong" in card._status._dom_classes


def test_the_budget_counts_what_the_controls_say():
    card = cache_budget(ch08.kv_cache_bytes)
    assert "cw-yours" in card._status._dom_classes
    card.model.value, card.length.value, card.batch.value = MODELS[-1], 131072, 1
    weights, cache, both = card.bars.columns[0]["values"]
    assert cache == pytest.approx(2 * 80 * 8 * 128 * 131072 * 2 / 1e9)
    assert weights == pytest.approx(70_553_706_496 * 2 / 1e9)
    assert both == pytest.approx(weights + cache)
    assert "does not fit" in card.bars.note
    card.sharing.value = "one per query head"
    assert card.bars.columns[0]["values"][1] == pytest.approx(8 * cache)
    card.numbers.value = 1
    assert card.bars.columns[0]["values"][1] == pytest.approx(4 * cache)
    assert card.curves.marker == 128


def test_a_longer_text_than_trained_for_is_said():
    card = cache_budget()
    card.length.value = 131072
    assert "trained for 4K" in card.bars.note


def test_a_wrong_count_is_drawn_and_marked():
    card = cache_budget(lambda *a: ch08.kv_cache_bytes(*a) // 2)
    assert "cw-wrong" in card._status._dom_classes
    assert card.bars.wrong == [False, True, False]


def test_a_still_picture_stands_in_without_a_kernel(model):
    for card in (kv_cache_lab(model), cache_budget()):
        bundle = card._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
