"""The widgets of m22's NumPy half without a browser, and the slow memory that its checks read from."""

import base64

import numpy as np
import pytest

from course.supplied import m22
from course.widgets import online_row, tile_map
from course.widgets.one_pass import KEYS, ORDERS, scores_of_heads


def unfinished(*args):
    raise NotImplementedError


@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: (np.ones(2), 3)])
def test_m22_without_a_working_function_the_course_draws_and_says_so(function):
    for card in (online_row(function), tile_map(function)):
        assert "cw-course" in card._status._dom_classes
        assert card._status.value


def test_m22_a_still_picture_stands_in_without_a_kernel():
    for card in (online_row(), tile_map()):
        bundle = card._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


# ---- one row, block by block -------------------------------------------------------------------------------------


def test_m22_the_row_ends_with_the_softmaxs_maximum_and_sum():
    card = online_row(m22.online_softmax)
    assert "cw-yours" in card._status._dom_classes
    scores = scores_of_heads()[2]
    for order in ORDERS:
        card.order.value = order
        largest, total = (column["values"][-1] for column in card.running.columns)
        assert largest == pytest.approx(scores.max())
        assert total == pytest.approx(np.exp(scores - scores.max()).sum())
    card.block.value = 5
    assert card.stepper.names == ["block 1", "block 2", "block 3", "block 4"]
    assert len(card.running.labels) == 4


def test_m22_stepping_reads_on_and_larger_scores_shrink_the_powers():
    card = online_row(m22.online_softmax)
    card.order.value = ORDERS[2]
    before = np.array(card.row.columns[1]["values"])
    assert card.row.masked == [False] * 4 + [True] * (KEYS - 4)
    card.stepper.step = 3
    after = np.array(card.row.columns[1]["values"])
    assert (after[:4] < before[:4]).all()
    assert after.max() == 1
    assert not any(card.row.masked + card.running.masked)
    assert len(card.formula.lines) == 3


def test_m22_adding_a_number_to_every_score_changes_no_power():
    card = online_row(m22.online_softmax)
    card.stepper.step = 2
    before = np.array(card.row.columns[1]["values"])
    card.offset.value = "1000"
    np.testing.assert_allclose(card.row.columns[1]["values"], before)


def test_m22_a_sum_that_is_not_rescaled_is_marked():
    def wrong(scores, block):
        tops, totals = m22.online_softmax(scores, block)
        return tops, totals + np.arange(len(totals))

    card = online_row(wrong)
    assert "cw-wrong" in card._status._dom_classes
    assert not any(card.running.wrong)  # block 1 is right, the others have not been read
    card.stepper.step = 2
    assert card.running.wrong == [False, True, True, False]


# ---- the map of tiles --------------------------------------------------------------------------------------------


def test_m22_the_map_counts_what_is_read():
    card = tile_map(m22.causal_tiles)
    assert card.map.note == "21 of 36 tiles are read, 6 need a mask."
    assert card.work.columns[0]["values"] == [576, 336, 300]
    card.block_k.value = 5
    assert card.map.column_labels[-1] == "20\N{EN DASH}23"
    card.m.value = 26
    assert card.map.column_labels[-1] == "25"


def test_m22_a_wrong_map_is_marked():
    card = tile_map(lambda n, m, block_q, block_k: np.minimum(m22.causal_tiles(n, m, block_q, block_k), 1))
    assert "cw-wrong" in card._status._dom_classes
    assert np.sum(card.map.wrong) == 15


# ---- slow memory -------------------------------------------------------------------------------------------------


def test_m22_slow_memory_counts_what_is_read_of_it():
    k = m22.Hbm(np.ones((6, 4), np.float32))
    assert (len(k), k.shape, k.dtype) == (6, (6, 4), np.float32)
    assert k[0:2].tolist() == [[1.0] * 4] * 2
    assert k.bytes_read == 32


@pytest.mark.parametrize("work", [
    lambda k: k / 2, lambda k: np.float64(2) * k, lambda k: k @ np.ones(4), lambda k: k.T, lambda k: np.asarray(k),
    lambda k: np.split(k, 2), lambda k: k.astype(float), lambda k: np.dot(k, np.ones(4)),
])  # fmt: skip
def test_m22_slow_memory_cannot_be_worked_on_as_a_whole(work):
    with pytest.raises(m22.SlowMemoryError, match=r"`k` lies in slow memory.*`k\[i:j\]`"):
        work(m22.Hbm(np.ones((6, 4)), "k"))


def test_m22_slow_memory_has_limits_for_the_checks():
    k = m22.Hbm(np.ones((6, 4)), "k", tile=2, most=128)
    with pytest.raises(m22.SlowMemoryError, match="is read 3 rows at once, and a tile of it has 2"):
        k[0:3]
    k[0:2], k[2:4]
    with pytest.raises(m22.SlowMemoryError, match="more often than needed: 128 bytes are enough"):
        k[4:6]
    assert np.zeros_like(k).shape == np.empty_like(k, shape=(6, 4)).shape == (6, 4)
    assert not hasattr(k, "mistyped")
