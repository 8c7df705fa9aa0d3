"""`check` as a student meets it: in a script, in a notebook, under nbgrader's Validate button; progress; `begin`."""

from __future__ import annotations

import json
import os
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import course
from course import checking, lesson, tracking
from course.checks import sheet, wire
from course.checks.judge import PartVerdict, Verdict
from course.tracking import progress
from tests.checks import ch99_toys as toys

pytestmark = pytest.mark.usefixtures("toy_lesson")

RIGHT = """
def row_means(x):
    if x.ndim != 2:
        raise ValueError
    return x.sum(axis=1) / x.shape[1]
"""


def in_script(code: str, capsys: pytest.CaptureFixture, exercise_id: str = "ch99.row_means") -> str:
    """What a plain Python script prints that ends in a check."""
    namespace = {"np": np, "course": course, "__name__": "__main__"}
    exec(compile(f"{code}\ncourse.check({exercise_id!r})", "<string>", "exec"), namespace)
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def one_shell(tmp_path_factory):
    """An IPython shell that nobody else uses; making one takes a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield InteractiveShell(config=Config(HistoryManager={"enabled": False}))


@pytest.fixture
def shell(one_shell, monkeypatch):
    """The running IPython shell, as a notebook has one, with nothing in it yet."""
    monkeypatch.setattr(InteractiveShell, "_instance", one_shell)
    names = one_shell.user_ns  # its own `reset` collects garbage, which takes half a second
    for name in [n for n in names if not n.startswith("__")]:
        del names[name]
    one_shell.history_manager.reset(new_session=False)
    one_shell.init_user_ns()
    names.update(np=np, begin=course.begin, check=course.check, progress=progress)
    return one_shell


def in_notebook(shell: InteractiveShell, *cells: str) -> Any:
    """Everything that running cells printed and displayed."""
    with capture_output() as captured:
        for cell in cells:
            shell.run_cell(cell, store_history=True)
    return captured


def html_of(captured: Any) -> str:
    """The HTML of everything displayed."""
    return "".join(o.data.get("text/html", "") for o in captured.outputs)


def test_in_a_script_a_check_prints_text(capsys):
    assert in_script(RIGHT, capsys) == "✓ row_means: passed (3 of 3 points)\n"
    text = in_script("def row_means(x): return x.sum(axis=1)", capsys)
    assert text.startswith("✗ row_means: not right yet (0 of 3 points)\n  values (2 points): The result has 2 of 2")
    assert "  In the case 2 rows: row_means(array of shape (2, 3)).\n" in text
    assert "  Hint: This is the sum of each row." in text


def test_a_target_takes_the_place_of_the_notebooks_object(capsys):
    course.check("ch99.row_means", toys.row_means.reference)
    assert "passed" in capsys.readouterr().out


def test_a_terminal_without_check_marks(monkeypatch, capfd):
    with open(1, "w", encoding="ascii", closefd=False) as ascii_only:
        monkeypatch.setattr(sys, "stdout", ascii_only)
        course.check("ch99.row_means", toys.row_means.reference)
    assert capfd.readouterr().out == "? row_means: passed (3 of 3 points)\n"


def test_a_namespace_without_a_name(capsys):
    exec("course.check('ch99.row_means')", {"course": course, "__name__": None, "In": 3})
    assert "`row_means` is not defined" in capsys.readouterr().out


@pytest.mark.parametrize("unknown", ["ch99.rowmeans", "ch99", "ch99.", "row_means", "", None, 5, len, "../x.y"])
def test_an_unknown_id_lists_the_known_ones(unknown, capsys):
    course.check(unknown)
    text = capsys.readouterr().out
    assert "There is no exercise" in text
    assert "ch99" in text
    assert ("ch99.Counter" in text) == str(unknown).startswith("ch99")


def test_missing_and_not_implemented(capsys):
    assert "row_means: not found" in in_script("def means(x): ...", capsys)
    assert in_script("def row_means(x): raise NotImplementedError", capsys) == (
        "○ row_means: not implemented yet (0 of 3 points)\n"
    )


def test_forbidden_imports_of_a_script_are_seen(capsys):
    checked = "import numpy as xp\nrow_means = xp.mean"
    assert "not right yet" in in_script(checked, capsys)  # a library's function has no text to search
    namespace = {"xp": np, "course": course, "__name__": "__main__"}
    exec("from tests.checks.test_check import row_means\ncourse.check('ch99.row_means')", namespace)
    assert "`numpy.mean` may not be used here" in capsys.readouterr().out


def row_means(x):
    """A solution with what the toy forbids."""
    return np.mean(x, axis=1)


def test_in_a_notebook_a_check_shows_html(shell):
    shown = in_notebook(shell, RIGHT, "check('ch99.row_means')")
    (only,) = shown.outputs
    assert only.data["text/plain"] == "✓ row_means: passed (3 of 3 points)"
    html = only.data["text/html"]
    assert 'role="status" aria-label="row_means: passed"' in html
    assert shown.stdout == ""


def test_a_students_message_cannot_become_markup(shell):
    bad = "<script>alert(1)</script> & `x`"
    shown = in_notebook(shell, f"def row_means(x): raise ValueError({bad!r})", "check('ch99.row_means')")
    html = html_of(shown)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <code>x</code>" in html


def test_the_place_of_an_error_is_the_students_line(shell):
    shown = in_notebook(
        shell, "def row_means(x):\n    scores = x / 1\n    return scores.nope", "check('ch99.row_means')"
    )
    assert "(line 3: return scores.nope)" in html_of(shown)


def test_forbidden_names_are_found_across_cells(shell):
    cells = ["import numpy as xp\n%time 1", "def row_means(x): return xp.mean(x, 1)", "check('ch99.row_means')"]
    assert "<code>numpy.mean</code> may not be used here" in html_of(in_notebook(shell, *cells))
    assert "passed" in html_of(in_notebook(shell, RIGHT, "xp.mean([1])", "check('ch99.row_means')"))


def test_questions_show_their_picker(shell, monkeypatch):
    from course import quiz

    seen = []
    monkeypatch.setattr(quiz, "show", lambda *args: seen.append(args))
    in_notebook(shell, "one_answer = 'B'", "check('ch99.one_answer')")
    ((subject, namespace, verdict),) = seen
    assert (subject.id, namespace["one_answer"], verdict.passed) == ("ch99.one_answer", "B", True)
    assert tracking.read()["ch99.one_answer"] == {"points": 1.0, "now": 1.0}


def test_questions_in_a_script_are_text(capsys):
    text = in_script("one_answer = 'a'", capsys, "ch99.one_answer")
    assert text == "✗ one_answer: not right yet (0 of 1 point)\n  Not the right answer.\n  a: No, not this one.\n"


BATTERY = {
    "number": "row_means = 3",
    "None": "row_means = None",
    "text": "row_means = 'abc'",
    "module": "row_means = np",
    "class": "class row_means: ...",
    "class that raises": "class row_means:\n    def __init__(self, x): raise OSError",
    "callable that raises": "class C:\n    def __call__(self, x): raise KeyError(x)\nrow_means = C()",
    "eq raises": "class C:\n    def __eq__(self, o): raise OSError\n    __hash__ = None\ndef row_means(x): return C()",
    "metaclass": "class M(type):\n    def __eq__(c, o): raise OSError\n    __hash__ = type.__hash__\n"
    "class C(metaclass=M): ...\ndef row_means(x): return C()",
    "generator": "def row_means(x): yield from x",
    "coroutine": "async def row_means(x): return x",
    "recursion": "def row_means(x): return row_means(x)",
    "SystemExit": "import sys\ndef row_means(x): sys.exit(1)",
    "exit": "def row_means(x): raise BaseException('all')",
    "odd error": "class E(Exception):\n    def __str__(self): raise OSError\ndef row_means(x): raise E",
    "error of text": "def row_means(x): raise ValueError('\\ud800')",
    "deletes": "def row_means(x):\n    del x",
    "resizes": "def row_means(x):\n    x.resize(0, refcheck=False)\n    return x",
    "retypes": "def row_means(x):\n    x.dtype = 'i8'\n    return x",
    "object array": "def row_means(x): return np.array([object()])",
    "ragged": "def row_means(x): return np.array([[1], [1, 2]], dtype=object)",
    "huge list": "def row_means(x): return [[0] * 1000] * 1000",
    "endless list": "def row_means(x):\n    a = []\n    a += [a, a]\n    return a",
    "broadcast": "def row_means(x): return np.broadcast_to(x.sum(), (1 << 20, 1 << 20))",
    "huge number": "def row_means(x): return 10**100_000",
    "subclass": "class A(np.ndarray): ...\ndef row_means(x): return x.sum(1).view(A)",
    "masked": "def row_means(x): return np.ma.masked_array(x.sum(1))",
    "array raises": "class C:\n    def __array__(self, *a, **k): raise OSError\ndef row_means(x): return C()",
    "property raises": "class C:\n    shape = array = dtype = __class__ = property(lambda s: 1 / 0)\n"
    "def row_means(x): return C()",
    "is such a property": "class C:\n    shape = __class__ = __wrapped__ = __name__ = property(lambda s: 1 / 0)\n"
    "    def __call__(self, x): return x\nrow_means = C()",
    "getattr raises": "class C:\n    def __getattr__(self, n): raise OSError\n    def __call__(self, x): return x\n"
    "row_means = C()",
    "repr raises": "class C:\n    def __repr__(self): raise OSError\ndef row_means(x): return [C()]",
    "wrapped": "def row_means(x): return x\nrow_means.__wrapped__ = row_means",
    "builtin": "row_means = len",
    "ufunc": "row_means = np.add",
    "no arguments": "def row_means(): ...",
    "prints": "def row_means(x): print('\\x00', x)",
    "closes stdin": "def row_means(x): return input()",
    "structured": "def row_means(x): return np.zeros(2, 'i4,f4')",
    "complex": "def row_means(x): return x.sum(1) + 1j",
    "other order": "def row_means(x): return x.sum(1).astype('>f8')",
    "warns": "import warnings\ndef row_means(x):\n    warnings.warn('no')\n    return x",
    "torch sparse": "import torch as t\ndef row_means(x): return t.eye(2).to_sparse()",
    "torch meta": "import torch as t\ndef row_means(x): return t.empty(2, device='meta')",
    "shadows": "dict = list = len = str = None\ndef row_means(x): return x",
    "In and Out": "In = Out = 5\ndef row_means(x): return x",
}


@pytest.mark.parametrize("name", BATTERY)
@pytest.mark.filterwarnings("ignore")
def test_whatever_the_student_wrote_there_is_an_answer_and_no_traceback(name, shell, monkeypatch):
    monkeypatch.setattr(wire, "MAX_NODES", 20_000)  # the same limit, only sooner
    shown = in_notebook(shell, BATTERY[name], "check('ch99.row_means')")
    said = shown.stdout + "".join(o.data.get("text/plain", "") for o in shown.outputs) + shown.stderr
    assert "Traceback" not in said
    assert "course/" not in said
    html = html_of(shown)
    assert "row_means: not right yet" in html
    assert "WireError" not in html
    assert len(html) < 5000


@pytest.mark.parametrize("name", ["recursion", "SystemExit", "is such a property", "In and Out"])
def test_in_a_script_neither(name, capsys):
    assert "row_means: not right yet" in in_script(BATTERY[name], capsys)


def test_under_validate_a_failed_check_is_an_error_of_our_words_only(shell, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    shown = in_notebook(shell, "def row_means(x): return x.sum(axis=1)", "check('ch99.row_means')")
    assert shown.stdout.startswith("✗ row_means: not right yet (0 of 3 points)\n  values (2 points): The result has")
    assert "Traceback" not in shown.stdout
    assert "checking.py" not in shown.stdout
    assert shown.outputs == []
    with pytest.raises(checking.CheckFailed, match="not right yet"):
        checking.check("ch99.row_means", len)
    with pytest.raises(checking.CheckFailed, match="Not the right answer"):
        checking.check("ch99.one_answer", "a")


def test_under_validate_a_passed_check_is_silent(shell, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    shown = in_notebook(shell, RIGHT, "check('ch99.row_means')", "one_answer = 'b'", "check('ch99.one_answer')")
    assert (shown.stdout, shown.outputs) == ("", [])
    assert tracking.read() == {}


def judged(earned: float, exercise_id: str = "ch99.row_means") -> Verdict:
    """A verdict worth some points."""
    return Verdict(exercise_id, "row_means", 3, [PartVerdict("values", earned)])


def test_progress_is_kept_and_the_best_counts(capsys):
    in_script("def row_means(x): return x.sum(axis=-1) / x.shape[-1]", capsys)
    assert tracking.read() == {"ch99.row_means": {"points": 2.0, "now": 2.0}}
    in_script(RIGHT, capsys)
    in_script("def row_means(x): return x", capsys)
    assert tracking.read() == {"ch99.row_means": {"points": 3.0, "now": 0.0}}


def test_progress_lists_lessons_and_one_lesson_its_exercises(toy_lesson):
    tracking.record(judged(3))
    rows = [("ch99.row_means", 3.0, 3.0, 1, 1), ("ch99.Counter", 0.0, 2.0, 0, 1)]
    assert progress().rows[:2] == progress("ch99").rows[:2] == rows  # the only lesson there is
    (toy_lesson / "ch98_empty.safetensors").write_bytes(sheet.dump("ch98_empty", "Nothing <yet>", []))
    lines = repr(progress()).splitlines()
    assert lines == [
        "ch98 Nothing <yet>   0 of 0  done  0 of 0 points",
        "ch99 Toys            1 of 5  done  3 of 11 points",
    ]
    html = progress()._repr_html_()
    assert '<progress max="11" value="3" aria-label="ch99 Toys">' in html
    assert "Nothing &lt;yet&gt;" in html


DAMAGED = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 200_000,
    b"[1]",
    b"null",
    b'{"ch99.row_means": 3}',
    b'{"ch99.row_means": {"points": "many"}}',
    b'{"ch99.row_means": {"points": NaN}}',
    b'{"ch99.row_means": {"points": true}}',
    b'{"ch99.row_means": {}}',
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_counts_as_empty_and_is_repaired(content, capsys):
    tracking.path().write_bytes(content)
    assert progress("ch99").rows[0][1] == 0
    in_script(RIGHT, capsys)
    assert tracking.read() == {"ch99.row_means": {"points": 3.0, "now": 3.0}}


def test_other_entries_stay(capsys):
    tracking.path().write_text('{"ch01.old": {"points": 1, "now": 1}, "odd": 7}')
    in_script(RIGHT, capsys)
    assert set(json.loads(tracking.path().read_text())) == {"ch01.old", "ch99.row_means"}


def test_a_place_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch, capsys):
    def refuse(*args: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "replace", refuse)
    assert "passed" in in_script(RIGHT, capsys)
    assert not [p.name for p in tmp_path.iterdir() if p.is_file()]  # nothing half-written stays behind
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "progress.json", tmp_path, Path("/proc/progress.json")):
        monkeypatch.setenv("COURSE_PROGRESS", str(place))
        assert "passed" in in_script(RIGHT, capsys)


@pytest.mark.parametrize("mode", ["autograde", "validate"])
def test_nothing_is_recorded_while_nbgrader_runs(mode, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", mode)
    tracking.record(judged(3))
    assert not tracking.path().exists()


def test_progress_of_an_unknown_lesson_is_one_line(shell):
    shown = in_notebook(shell, "progress('ch98')")
    assert shown.stdout.strip() == "There is no lesson 'ch98'. Lessons: ch99_toys."


def test_begin_says_how_far_one_has_come(capsys):
    tracking.record(judged(3))
    with mpl.rc_context():
        lesson.begin("ch99_toys", sheet.load_lesson("ch99_toys").edition)
    assert capsys.readouterr().out == "ch99 Toys: 1 of 5 exercises done.\n"


def test_begin_tells_another_edition_and_goes_on(capsys):
    with mpl.rc_context():
        lesson.begin("ch99_toys", "0123456789")
    text = capsys.readouterr().out
    assert text.startswith("ch99 Toys: 0 of 5 exercises done.\nNote: this notebook is of edition 0123456789")
    assert sheet.load_lesson("ch99_toys").edition in text


def test_begin_of_an_unknown_lesson_is_one_line(shell):
    shown = in_notebook(shell, "begin('ch98_none')")
    assert shown.stdout.strip() == (
        "Course setup: There is no lesson 'ch98_none'. Lessons: ch99_toys. "
        "Is the installed course older than this notebook?"
    )


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[::-1]])
def test_damaged_golden_data_say_what_to_do(damage, toy_lesson, capsys):
    path = toy_lesson / "ch99_toys.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    sheet._read.cache_clear()
    with pytest.raises(lesson.CourseSetupError, match="damaged"):
        lesson.begin("ch99_toys")
    course.check("ch99.row_means")
    assert "is damaged" in capsys.readouterr().out


def test_golden_data_that_are_no_sheet(toy_lesson):
    from safetensors.numpy import save_file

    for number, text in enumerate(["{", '{"t": "dict", "v": []}', '{"t": "list", "v": [{"t": "no"}]}']):
        save_file({"a": np.zeros(1)}, toy_lesson / f"ch{number}_bad.safetensors", {"course": text})
        with pytest.raises(sheet.UnknownExercise, match="damaged"):
            sheet.load_lesson(f"ch{number}_bad")


@pytest.mark.parametrize("have", [(3, 10), (3, 14), (4, 0)])
def test_begin_refuses_another_python(have, monkeypatch):
    version = namedtuple("version", "major minor")
    monkeypatch.setattr(sys, "version_info", version(*have))
    with pytest.raises(lesson.CourseSetupError, match=rf"Python {have[0]}\.{have[1]} is not supported"):
        lesson._require_python()


def test_begin_names_a_missing_package(monkeypatch):
    monkeypatch.setattr(lesson, "find_spec", lambda name: None if name == "anywidget" else object())
    with pytest.raises(lesson.CourseSetupError, match="the package anywidget is missing"):
        lesson.begin("ch99_toys")
