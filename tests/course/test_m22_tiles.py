"""The tiles of m22 without a browser: whose kernel draws, what it moved, what the simulator found in it."""

import base64

import numpy as np
import pytest
import triton
import triton.language as tl

from autograder.exercise import find
from course.supplied import m22
from course.widgets import tile_traffic
from course.widgets.tile_moves import D, N
from kernels import _backend

WRONG = find("m22.causal_kernel").misconceptions


@triton.jit
def unfinished(q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    raise NotImplementedError


def test_m22_until_there_is_a_kernel_the_courses_draws_and_says_so():
    for kernel in (None, unfinished, lambda *args: None):
        card = tile_traffic(kernel)
        assert "cw-course" in card._status._dom_classes
        assert card.tiles.greyed
        assert card.bars.columns[1]["values"][-1] > 0


def test_m22_every_move_is_drawn_and_counted():
    card = tile_traffic(m22.causal_kernel)
    assert "cw-yours" in card._status._dom_classes
    assert card.tiles.shape == (4, 4)
    assert np.array(card.tiles.masked).tolist() == np.triu(np.ones((4, 4)), 1).astype(bool).tolist()
    assert np.array(card.tiles.values).sum() == 0  # the first move is the queries'
    assert card.flow.description == "program 0 loads q, rows 0 to 15: 1,024 bytes; 1,024 bytes are on the chip"
    card.stepper.step = len(card.stepper.names) - 1
    assert np.array(card.tiles.values).tolist() == np.tril(np.ones((4, 4))).tolist()
    assert "program 3 stores lse, rows 48 to 63" in card.flow.description
    so_far, whole = (column["values"] for column in card.bars.columns)
    rows = 16 * (1 + 2 + 3 + 4)
    assert so_far == whole == [N * D * 4, rows * D * 4, rows * D * 4, N * D * 4, N * 4, sum(whole[:5])]


def test_m22_larger_blocks_move_less_and_start_over():
    card = tile_traffic(m22.causal_kernel)
    card.stepper.step = 5
    before = card.bars.columns[1]["values"][1]
    card.bm.value = 64
    assert card.stepper.step == 0
    assert card.tiles.shape == (1, 4)
    assert card.bars.columns[1]["values"][1] < before
    card.bn.value = 64
    assert card.tiles.shape == (1, 1)


def test_m22_a_wrong_kernel_is_drawn_and_the_finding_is_shown():
    card = tile_traffic(WRONG["nothing_skipped"])
    assert "cw-wrong" in card._status._dom_classes
    assert "12 tiles more than it needs to" in card._status.value
    assert np.array(card.tiles.wrong).sum() == 6
    card = tile_traffic(WRONG["off_by_one"])
    assert "its result is not right yet" in card._status.value


@triton.jit
def beside(q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    at = tl.arange(0, BM)[:, None] * D + tl.arange(0, D)[None, :]
    tile = tl.load(q + at)
    tl.store(out + n * D + at, tile)


def test_m22_what_the_simulator_finds_is_said_with_the_moves_before_it():
    card = tile_traffic(beside)
    assert "The simulator stopped your" in card._status.value
    assert "OutOfBounds: program (0, 0, 0)" in card._status.value
    assert card.stepper.names == ["program 0 loads q, rows 0 to 15"]


def test_m22_without_triton_the_card_says_so(monkeypatch):
    def missing():
        raise _backend.TritonMissing(_backend.INSTALL)

    monkeypatch.setattr("kernels.notebook.require_triton", missing)
    card = tile_traffic(m22.causal_kernel)
    assert "Triton is not installed" in card._status.value
    assert card._still()


@pytest.mark.parametrize("kernel", [None, beside])
def test_m22_the_still_picture_is_a_picture(kernel):
    assert base64.b64decode(tile_traffic(kernel)._still()).startswith(b"\x89PNG")
