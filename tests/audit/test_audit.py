"""The audit: what it counts and says, that a weak grader does not get through, and that ours do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autograder import audit as auditing
from autograder import audit_page, trivial
from autograder.__main__ import app
from autograder.audit import Audit, AuditError, Bench, Trial, audit, missed, totals
from autograder.demo import right_answers
from autograder.engine import Engine
from autograder.exercise import Definition, case, definitions, find, lessons
from autograder.mutants import Mutant, mutants_of
from course.checks.compare import Difference
from course.checks.explain import Explanation
from course.checks.judge import PartVerdict, Verdict
from tests.grading.classroom import ROOT, solved

SAMPLE = ["ch01_attention", "ch02_scaled_dot_product"]
NORM = "ch02.softmax_grad_norm"
COMPUTING = {
    d.id: (lesson, d) for lesson in lessons() for d in definitions(lesson).values() if isinstance(d, Definition)
}


def verdict(kind: str = "", hint: str = "", said: str = "") -> Verdict:
    """A verdict with a difference of some kind; none is a pass."""
    found = Difference(kind, "words") if kind else None
    part = PartVerdict("values", 2, found, explanation=Explanation(said, "more words") if said else None)
    return Verdict("ch99.f", "f", 2, [part], hint)


def trial(*verdicts: Verdict, after: str = "return 1") -> Trial:
    """A mutant that was judged so."""
    return Trial(Mutant("constant", 3, "return 0", after, "def f(): return 1"), list(verdicts))


def an_audit(*trials: Trial, **changes) -> Audit:
    """An audit in which all else is well."""
    right = {"a": "", "b": "", "c": ""}
    return replace(Audit("ch99.f", list(trials), 1, {"m": ""}, right, {"zeros": ""}), **changes)


RIGHT, WRONG = verdict(), verdict("values")


def test_a_mutant_is_rejected_if_every_seed_rejects_it() -> None:
    assert [trial(*v).status for v in ([WRONG] * 3, [RIGHT] * 3, [WRONG, RIGHT, WRONG])] == [
        "rejected", "survived", "weak",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        ([verdict("values", hint="You ...")] * 2, "hint"),
        ([verdict("shape")] * 2, "fault"),
        ([verdict("values", said="relation")] * 2, "relation"),
        ([verdict("values", said="unused"), verdict("raised")], "unused"),
        ([verdict("values", said="pattern")] * 2, "pattern"),
        ([verdict("values")] * 2, ""),
        ([verdict("raised"), verdict("values")], ""),
        ([verdict("values", said="pattern"), verdict("shape")], "pattern"),
        ([verdict("values", hint="You ..."), verdict("values", said="pattern")], "pattern"),
    ],
)
def test_how_a_bug_is_named_is_decided_by_the_poorest_verdict(verdicts: list[Verdict], kind: str) -> None:
    assert trial(*verdicts).kind == kind


def test_a_hint_is_confirmed_if_every_seed_gives_it() -> None:
    one, other = verdict("values", hint="One."), verdict("values", hint="Other.")
    assert trial(one, one).hint_confirmed
    assert not trial(one, other).hint_confirmed


def test_figures() -> None:
    trials = [
        trial(WRONG),
        trial(verdict("shape")),
        trial(verdict("values", hint="One.")),
        trial(RIGHT, after="return 2"),
    ]
    one = an_audit(*trials, reasons={"return 0 => return 2": "because"})
    sums = totals([one, an_audit(trial(verdict("nan")))])
    assert (sums.mutants, sums.rejected, sums.equivalent, sums.named) == (5, 4, 1, 3)
    assert (sums.raw, sums.after, sums.named_share) == (0.8, 1.0, 0.75)
    assert one.problems() == []


def test_each_missed_target_is_told() -> None:
    well = an_audit(*[trial(verdict("shape"))] * 97, *[trial(RIGHT)] * 3)
    assert missed([well], whole=True) == []
    weak = an_audit(*[trial(verdict("shape"))] * 9, trial(RIGHT, WRONG))
    assert missed([weak], whole=True)[0].startswith("90.0% of all mutants are rejected")
    assert missed([weak], whole=False) == ["90.0% of the mutants that are not equivalent are rejected: should be 97%"]
    mute = an_audit(*[trial(verdict("shape"))] * 3, *[trial(WRONG)] * 2)
    assert missed([mute], whole=True) == ["the bug is named in 60.0% of the verdicts, but it should be 80%"]
    for changes, words in [
        ({"misconceptions": {"m": "passes with seed 1"}}, "misconceptions, m: passes with seed 1"),
        ({"alternatives": {"a": "", "b": "earns 1", "c": ""}}, "alternatives, b: earns 1"),
        ({"alternatives": {"a": "", "b": ""}}, "has 2 alternatives, but it should have 3"),
        ({"battery": {"zeros": "earns 1"}}, "battery, zeros: earns 1"),
        ({"reasons": {"return 0 => return 9": "because"}}, "is no mutant any more, or it is rejected"),
    ]:
        assert words in "\n".join(missed([replace(well, **changes)], whole=True))


def test_an_equivalent_that_only_some_seeds_pass_is_not_equivalent() -> None:
    one = an_audit(trial(RIGHT, WRONG), reasons={"return 0 => return 1": "because"})
    assert one.equivalent == []
    assert len(one.problems()) == 1


def test_the_page_shows_survivors_with_their_reasons() -> None:
    listed, unlisted, weak = trial(RIGHT), trial(RIGHT, after="return 2 | 3"), trial(RIGHT, WRONG, after="return 4")
    text = audit_page.page([an_audit(listed, unlisted, weak, trial(WRONG), reasons={listed.mutant.name: "It is so."})])
    assert "| 3 | `return 0` | `return 1` | It is so. |" in text
    assert "| `return 2 \\| 3` | not listed as equivalent |" in text
    assert "| `return 4` | rejected with some seeds only |" in text
    assert "- 25.0% of all mutants are rejected, but it should be 97%" in text
    assert "| `ch99.f` | 3 | `return 1` | where the first wrong value is |" in text


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for all tests of this file."""
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def bench(engine: Engine) -> Bench:
    """Grades answers to ch02."""
    return Bench(engine, ROOT, "ch02_scaled_dot_product")


@pytest.mark.slow
def test_answers_are_graded_beside_the_others(engine: Engine) -> None:
    """An alternative of cross_attention calls the right masked_attention."""
    decoder = Bench(engine, ROOT, "ch06_decoder")
    text = auditing.right_alternatives(ROOT, "ch06_decoder", find("ch06.cross_attention"))["with_masked_attention"]
    assert "masked_attention(" in text
    assert all(v.passed for v in decoder.verdicts(find("ch06.cross_attention"), text))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def softmax_grad_norm(scores):\n    while True: pass", "took longer than 3 s"),
        ("def softmax_grad_norm(scores):\n    import os\n    os._exit(0)", "ended the Python process"),
        ("def softmax_grad_norm(scores:", "not defined"),
        ("import os\nos._exit(0)", "not defined"),
    ],
)
def test_deadly_answers_are_rejected_in_bounded_time(bench: Bench, text: str, words: str) -> None:
    found = bench.verdicts(find(NORM), text)
    assert len(found) == len(auditing.SEEDS)
    assert all(words in v.first.difference.public for v in found), found


def audited(bench: Bench, definition: Definition) -> Audit:
    """The audit of one exercise, whose definition may not be ours."""
    with ThreadPoolExecutor(2) as pool:
        return auditing._audited(bench, definition, {"right": bench.solved[definition.id]}, pool, quiet=True)


@pytest.mark.slow
def test_a_weak_grader_does_not_get_through(bench: Bench) -> None:
    """One case, on which a misconception is right by accident."""

    def cases(rng):
        yield case(np.zeros(2), label="two equal scores")

    passes = "largest_singular_value"
    weak = replace(find(NORM), cases=cases, misconceptions={passes: find(NORM).misconceptions[passes]})
    found = audited(bench, weak)
    assert found.misconceptions[passes] == "passes with seed 1"
    assert len([t for t in found.survivors if t not in found.equivalent]) >= 2
    told = "\n".join(missed([found], whole=True))
    assert "of all mutants are rejected, but" in told
    assert f"misconceptions, {passes}: passes" in told
    assert "has 1 alternatives, but it should have 3" in told


@pytest.mark.slow
def test_a_wrong_answer_of_our_own_stops_the_audit(bench: Bench) -> None:
    definition = find(NORM)
    wrong = replace(definition, reference=lambda scores: 1.0)
    with pytest.raises(AuditError, match="the lesson's own answer is rejected"):
        audited(bench, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", SAMPLE)
def test_the_graders_are_proved(engine: Engine, lesson: str) -> None:
    """The audit itself, of two lessons; `make audit` proves all, and the page that it writes must be of today's."""
    found = audit(ROOT, [lesson], engine, workers=2, quiet=True)
    assert missed(found, whole=False) == []
    assert [t.mutant.name for a in found for t in a.survivors if t not in a.equivalent] == []
    assert all(a.confirmed == a.kinds["hint"] for a in found)


def test_the_page_is_of_these_exercises() -> None:
    """docs/audit.md is stale if an exercise, its answer, its misconceptions or its alternatives changed since."""
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = {
        r[0].strip("` "): [c.strip() for c in r[1:]]
        for line in text.splitlines()
        if len(r := line.split("|")[1:-1]) > 12
    }
    heads = rows["exercise"]
    for exercise_id, (lesson, definition) in COMPUTING.items():
        row = dict(zip(heads, rows[exercise_id], strict=True))
        mutants = mutants_of(solved(lesson)[exercise_id])
        assert row["mutants"] == str(len(mutants.kept)), exercise_id
        assert row["duplicates"] == str(mutants.trivial), exercise_id
        assert row["misconceptions"] == "{0}/{0}".format(len(definition.misconceptions)), exercise_id
        listed = len(auditing.right_alternatives(ROOT, lesson, definition))
        assert row["alternatives"] == f"{listed}/{listed}", exercise_id
    assert "Every target is met." in text
    assert len(rows) == len(COMPUTING) + 3  # heading, rule, sums


def test_every_listed_equivalent_is_a_mutant() -> None:
    """And has a reason; whether it survives is for the audit itself."""
    for exercise_id, reasons in auditing.EQUIVALENTS.items():
        lesson, _ = COMPUTING[exercise_id]
        names = {m.name for m in mutants_of(solved(lesson)[exercise_id]).kept}
        assert set(reasons) <= names
        assert all(len(why) > 10 for why in reasons.values())


def test_the_answers_are_those_of_the_solved_notebooks() -> None:
    for lesson in lessons():
        assert right_answers(ROOT, lesson) == solved(lesson)


def test_a_library_call_is_put_into_a_right_answer() -> None:
    definition = find("ch02.scaled_dot_product_attention")
    texts = trivial.library_calls(definition, solved("ch02_scaled_dot_product")[definition.id])
    assert list(texts) == ["torch", "scipy"]
    assert texts["scipy"].startswith("import scipy\n")


def test_outside_a_checkout_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=re.escape("tests/lessons/alternatives/ch02_scaled_dot_product.py is missing")):
        auditing.right_alternatives(tmp_path, "ch02_scaled_dot_product", find(NORM))


def test_the_page_is_only_written_for_all_lessons() -> None:
    outcome = CliRunner().invoke(app, ["audit", "ch06_decoder", "--write"])
    assert outcome.exit_code == 2
    assert "is about all lessons" in outcome.output


@pytest.mark.parametrize(("problems", "status"), [([], 0), (["something"], 1)])
def test_exit_status(problems: list[str], status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = [an_audit(trial(verdict("shape")))]
    monkeypatch.setattr(
        audit_page, "Engine", type("Engine", (), {"__enter__": lambda s: s, "__exit__": lambda *a: None})
    )
    monkeypatch.setattr(audit_page, "audit", lambda *args: found)
    monkeypatch.setattr(audit_page, "missed", lambda audits, whole: problems)
    (tmp_path / "docs").mkdir()
    assert audit_page.run(tmp_path, lessons(), True, 1) == status
    assert (tmp_path / "docs" / "audit.md").read_text().startswith("# Audit of the graders")
