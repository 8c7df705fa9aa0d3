"""Randomly damaged notebooks through the real engine, and the damage itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from autograder.engine import Engine
from tests.fuzz import damage, fuzzing

NOTEBOOKS = 100  # in CI; `python -m tests.faults` does 1,000
CELLS = [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": [f"x = {i}\n", "y"]} for i in range(5)]
NOTEBOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": CELLS}, indent=1).encode()


@pytest.mark.parametrize("kind", damage.kinds())
def test_damage_is_the_same_for_the_same_seed_and_is_damage(kind: str) -> None:
    """And seldom the same for another seed."""
    made = [damage.damaged(kind, NOTEBOOK, seed) for seed in range(20)]
    assert made == [damage.damaged(kind, NOTEBOOK, seed) for seed in range(20)]
    assert len(set(made)) > 3
    assert sum(data != NOTEBOOK for data in made) > 15


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fuzzing.Bench]:
    """Honest submissions and a sandbox."""
    with Engine() as engine:
        yield fuzzing.Bench(tmp_path_factory.mktemp("fuzz"), engine)


@pytest.mark.slow
def test_the_honest_ones_earn_what_they_should(bench: fuzzing.Bench) -> None:
    """Without this the rest would prove nothing."""
    assert bench.earned["all"] == fuzzing.POINTS
    assert bench.earned["some"] == {e: p if e in fuzzing.HALF else 0 for e, p in fuzzing.POINTS.items()}
    assert set(bench.earned["nothing"].values()) == {0}


@pytest.mark.slow
def test_damaged_notebooks_never_crash_the_grader_nor_earn_a_point(bench: fuzzing.Bench) -> None:
    """Each ends with a mark for every exercise, a reason for every point lost, and no more than it was worth."""
    tallies = dict(fuzzing.run(bench, NOTEBOOKS, seed=1))
    assert sum(t.notebooks for t in tallies.values()) == NOTEBOOKS
    assert [fault for t in tallies.values() for fault in t.faults] == []
    assert tallies["harmless_noise"].kept == tallies["harmless_noise"].notebooks
    assert sum(t.unreadable for t in tallies.values()) > NOTEBOOKS / 20  # the damage does bite
    assert sum(t.lost for t in tallies.values()) > NOTEBOOKS / 20
