"""Code that passed in one chapter is there in the next; whatever else happens, the course's own is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course import carry, tracking
from course.supplied.ch02 import scaled_dot_product_attention as ours
from tests.grading.classroom import ROOT

ID, NAME = "ch02.scaled_dot_product_attention", "scaled_dot_product_attention"
IMPORTS = "import numpy as np\nimport math as m\nfrom course.carry import softmax\nfrom course import check\n"
ANSWER = """
SCALE = 0.5

def scores_of(q, k):
    if q.shape[1] != k.shape[1]:
        raise ValueError
    return q @ k.T / m.pow(k.shape[1], SCALE)

def scaled_dot_product_attention(q, k, v):
    weights = softmax(scores_of(q, k))
    if len(k) != len(v):
        raise ValueError
    return weights @ v, weights
"""
ASK = f"from course.carry import {NAME}\nprint({NAME}.__module__)"


@pytest.fixture(autouse=True)
def progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's own folder."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path


def notebook(*cells: str) -> str:
    """What IPython prints when it runs these cells, in a process of its own."""
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='nocolor')\n"
        f"for cell in {list(cells)!r}:\n    shell.run_cell(cell, store_history=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stderr
    return done.stdout


def test_what_passed_is_carried_on_with_all_that_it_uses() -> None:
    assert "the course's own" in notebook(ASK)
    notebook(IMPORTS, ANSWER, f"check({ID!r})")
    said = notebook(
        ASK, f"print({NAME}(__import__('numpy').eye(2), __import__('numpy').eye(2), __import__('numpy').eye(2)))"
    )
    assert f"{NAME}: yours, from ch02." in said
    assert f"course.carry.{ID}" in said


def test_what_failed_is_not_carried_on_and_takes_nothing_away() -> None:
    wrong = ANSWER.replace("SCALE = 0.5", "SCALE = 1.0")
    notebook(IMPORTS, wrong, f"check({ID!r})")
    assert "the course's own" in notebook(ASK)
    notebook(IMPORTS, ANSWER, f"check({ID!r})", wrong, f"check({ID!r})")
    assert "yours, from ch02" in notebook(ASK)


def test_what_only_exists_in_the_notebook_is_said() -> None:
    table = "memory = np.zeros(1)\n" + ANSWER.replace("return q @", "return memory[0] + q @")
    said = notebook(IMPORTS, table, f"check({ID!r})")
    assert "Later chapters will use the course's own" in said
    assert "it uses `memory`, which only exists in this notebook" in said
    assert "the course's own" in notebook(ASK)


def test_local_names_are_not_taken_for_the_notebooks() -> None:
    notebook(IMPORTS, "weights = np.zeros(3)", ANSWER, f"check({ID!r})")
    assert "yours, from ch02" in notebook(ASK)


@pytest.mark.parametrize("damage", ["", "raise OSError", "def f(:", "\0", f"def {NAME}(q, k, v): return q, k"])
def test_a_damaged_file_counts_as_none(progress: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    (progress / "carried").mkdir()
    (progress / "carried" / f"{ID}.py").write_text(damage)
    assert carry.scaled_dot_product_attention is ours
    assert "the course's own (yours from ch02 has not passed its check here)" in capsys.readouterr().out


def test_nothing_is_kept_while_grading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    carry.keep(ID, {NAME: ours, "np": np})
    assert not (tracking.path().parent / "carried").exists()


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"What can be carried on: .*softmax"):
        carry.attention_of_nobody  # noqa: B018


def test_names_are_built_in_one_chapter_only() -> None:
    """Else it would be the earlier one's, silently."""
    names = [name for module in carry._modules() for name in module.__all__]
    assert len(names) == len(set(names))


def test_classes_and_lambdas_are_found_in_the_cells() -> None:
    cell = "import dataclasses\n@dataclasses.dataclass\nclass Pair:\n    a: int = 1\n"
    names: dict = {"__name__": "__main__", "In": [cell, "broken ("]}
    exec(cell, names)
    names["twice"] = 3
    text = carry.standalone("Pair", names)
    again: dict = {}
    exec(text, again)
    assert again["Pair"]().a == 1
    with pytest.raises(carry.CannotCarry, match="only exists in this notebook"):
        carry.standalone("x", {"x": np.zeros(3)})


def test_an_experiment_takes_what_passes_now_and_the_courses_own_for_the_rest() -> None:
    right = (
        "def shift_for_teacher_forcing(tokens):\n"
        "    if tokens.shape[1] < 2: raise ValueError\n"
        "    return tokens[:, :-1], tokens[:, 1:]"
    )
    wrong = "def cross_entropy(logits, targets):\n    return 0.0"
    ask = (
        "from course.carry import working\n"
        "found = working('ch07.shift_for_teacher_forcing', 'ch07.cross_entropy', 'ch07.lr_schedule')\n"
        "print([f.__module__ for f in found])"
    )
    said = notebook(right, wrong, ask)
    assert "shift_for_teacher_forcing: yours." in said
    for name in ("cross_entropy", "lr_schedule"):
        assert f"{name}: the course's own (yours does not pass its check yet)." in said
    assert "['__main__', 'course.supplied.ch07', 'course.supplied.ch07']" in said
