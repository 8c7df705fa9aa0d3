"""The widget of m21 without a browser: whose functions draw, what is computed in each call, what it costs."""

import base64

import numpy as np
import pytest
import torch

from course.lab.multiplication import written
from course.supplied import m21
from course.widgets import batch_cache_lab
from course.widgets.batch_cache import CALLS, COUNT, PLACES, REQUESTS, operations, run, summary

LONGEST = max(map(len, REQUESTS))


def slots_for_places(padding, start, count):
    places, mask = m21.places_and_mask(padding, start, count)
    return places + padding[:, None], mask


def padding_shown(padding, start, count):
    return m21.places_and_mask(padding, start, count)[0], m21.places_and_mask(0 * padding, start, count)[1]


def at_once(reader, ids, cache, chunk=None):
    return m21.prefill(reader, ids, cache)


def unfinished(*args):
    raise NotImplementedError


def said(card):
    return ["".join(part["text"] for part in line) for line in card.texts.lines]


@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(function):
    for card in (batch_cache_lab(function), batch_cache_lab(m21.places_and_mask, function, m21.decode)):
        if function is not None:
            assert "cw-course" in card._status._dom_classes
        assert card._status.value
    card = batch_cache_lab()
    assert "cw-course" in card._status._dom_classes


def test_the_first_call_fills_the_prompts_and_each_later_one_a_column():
    card = batch_cache_lab(m21.places_and_mask, m21.prefill, m21.decode)
    assert "cw-yours" in card._status._dom_classes
    assert len(card.stepper.names) == COUNT
    before = np.array(card.slots.values)
    assert np.all(before[:, :LONGEST] == 1)
    assert not before[:, LONGEST:].any()
    card.stepper.step = 3
    after = np.array(card.slots.values)
    assert np.array_equal(after[:, :LONGEST], before[:, :LONGEST])
    assert after[0, LONGEST:].tolist() == [2, 3, 4, *(COUNT - 4) * [0]]
    assert np.array(card.slots.masked).sum(1).tolist() == [LONGEST - len(text) for text in REQUESTS]


def test_it_writes_what_is_right():
    card = batch_cache_lab(m21.places_and_mask)
    card.stepper.step = COUNT - 1
    for text, line in zip(REQUESTS, said(card), strict=True):
        x, y = (int(number) for number in text.partition("=")[0].split("*"))
        shown = line.partition(": ")[2].strip("\u00b7")
        assert len(shown) == len(text) + COUNT - 1
        assert written(x, y, 2).startswith(shown)


def test_chunks_make_more_calls_but_no_more_work():
    card = batch_cache_lab(m21.places_and_mask, m21.prefill, m21.decode)
    card.stepper.step = COUNT - 1
    tokens = card.work.columns[1]["values"]
    card.chunk.value = "4 columns"
    assert card.stepper.step == 0
    assert len(card.stepper.names) == COUNT + 2
    card.stepper.step = COUNT + 1
    assert card.work.columns[1]["values"] == tokens
    assert tokens[0] == len(REQUESTS) * (LONGEST + COUNT - 1)
    assert tokens[1] == len(REQUESTS) * sum(range(LONGEST, LONGEST + COUNT))


def test_places_and_the_mask_of_a_request_are_shown():
    card = batch_cache_lab(m21.places_and_mask)
    card.shown.value = PLACES
    padding = LONGEST - len(REQUESTS[0])
    assert card.slots.values[0][padding:LONGEST] == list(range(len(REQUESTS[0])))
    assert np.array(card.mask.values).shape == (LONGEST, LONGEST)
    assert np.array(card.mask.values)[-1].tolist() == [0] * padding + [1] * len(REQUESTS[0])
    card.stepper.step = 1
    card.request.value = 2
    assert np.array(card.mask.values).tolist() == [[1] * (LONGEST + 1)]
    assert "".join(card.mask.column_labels[:LONGEST]) == REQUESTS[2]


def test_wrong_places_and_wrong_masks_are_marked():
    card = batch_cache_lab(slots_for_places)
    assert "cw-wrong" in card._status._dom_classes
    assert card.shown.value == CALLS
    assert not np.any(card.slots.wrong)
    card.shown.value = PLACES
    wrong = np.array(card.slots.wrong)
    assert wrong[0, LONGEST - 1]
    assert not wrong[2].any()  # it has no padding
    card = batch_cache_lab(padding_shown)
    assert np.any(card.mask.wrong)
    assert not np.any(card.slots.wrong)


def test_a_prefill_that_ignores_its_chunk_is_marked():
    card = batch_cache_lab(m21.places_and_mask, at_once, m21.decode)
    assert "cw-yours" in card._status._dom_classes
    card.chunk.value = "1 column"
    assert "cw-wrong" in card._status._dom_classes
    assert card.work.wrong == [True, False]
    card.stepper.step = len(card.stepper.names) - 1  # it has made fewer calls: its last one is shown
    assert "cw-wrong" in card._status._dom_classes


def test_the_counters_add_up():
    card = batch_cache_lab()
    c = card.model.config
    calls = run(card.model, None, None, None, None)
    right = sum(operations(c, one.ids.numel(), one.end) for one in calls[:3]) / 1e6
    card.stepper.step = 2
    assert card.work.columns[0]["values"][0] == pytest.approx(right)
    token = 2 * c.layers * c.d_model * 4
    assert f"In the cache: {token * 4 * (LONGEST + 2):,} bytes, of them {token * 10:,} padding" in card.work.note
    assert f"read {token * 4 * (LONGEST + 1):,} bytes" in card.work.note
    matrices = {name: p for name, p in card.model.named_parameters() if p.ndim == 2}
    used = sum(p.numel() for name, p in matrices.items() if not name.startswith(("embed", "position")))
    assert operations(c, 1, 0) == 2 * used


def test_a_call_beyond_the_picture_does_no_harm():
    calls = run(batch_cache_lab().model, None, None, None, None)
    extra = [*calls, *calls[-1:]]
    assert all(np.isfinite(part).all() for part in summary(extra, 99))
    assert torch.equal(calls[0].places.min(), torch.tensor(0))


def test_a_still_picture_stands_in_without_a_kernel():
    bundle = batch_cache_lab()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
