"""ch07's experiment keeps what its text promises."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from tests.grading.classroom import ROOT
from tests.lessons.tools import executed


@pytest.mark.slow
def test_ch07_the_held_out_loss_falls_below_the_stated_bound(tmp_path: Path) -> None:
    """With the lesson's own solutions, from a loss of pure guessing to below 2.0."""
    lesson = "ch07_training"
    done = executed(nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4), tmp_path)
    training = next(c for c in done.cells if c.source.startswith("from tqdm.auto import tqdm"))
    said = "".join(output.get("text", "") for output in training.outputs)
    before, after = (float(re.search(f"held-out loss {when}: ([0-9.]+)", said)[1]) for when in ("before", "after"))
    assert before == pytest.approx(4.11, abs=0.1)
    assert after < 2.0
    assert "goal, below 2.0: reached" in said
