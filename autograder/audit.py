"""`autograder audit`: prove the graders. Every mutant and misconception must lose points, no right answer may.

All of it goes through the real hidden grading: each text is run in a fresh sandboxed process, after the lesson's own
cells and the right answers to its other exercises, and judged on the cases of several seeds.
"""

from __future__ import annotations

import hashlib
import importlib
import pickle
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from autograder import lesson_source, trivial
from autograder.demo import misconception_text, right_answers
from autograder.engine import Engine
from autograder.equivalents import EQUIVALENTS
from autograder.exercise import Definition, definitions
from autograder.grading import generator, grade
from autograder.limits import Limits
from autograder.mutants import Mutant, mutants_of
from course.checks.judge import StudentCodeDied, Verdict
from course.checks.sheet import Sheet

SEEDS = (1, 22, 333)  # a mutant counts as rejected only if the cases of all of them reject it
LIMITS = Limits(cell_seconds=5, case_seconds=3, notebook_seconds=60)
REJECTED, NAMED, ALTERNATIVES = 0.97, 0.80, 3
KEPT = Path("build", "audit")  # what was audited stays there until something that it depends on changes
GRADERS = ("autograder", "course/checks", "course/supplied", "course/lab", "kernels")
REPORTING = {"audit_page.py", "equivalents.py"}  # what they say is not part of what is kept
FAULTS = ("raised", "type", "shape", "dtype", "nan", "changed", "forbidden", "missing", "unsolved")
NAMING = ("hint", "relation", "unused", "fault")  # what a verdict may name a bug by; a `pattern` is too little


class AuditError(RuntimeError):
    """The audit cannot be made here; the message says what to do."""


@dataclass(frozen=True)
class Trial:
    """A mutant and what hidden grading said of it, for each seed."""

    mutant: Mutant
    verdicts: list[Verdict]

    @property
    def status(self) -> str:
        """`rejected` by the cases of every seed, `survived` all, or `weak`: rejected by some."""
        passed = {v.passed for v in self.verdicts}
        return "weak" if len(passed) > 1 else "survived" if True in passed else "rejected"

    @property
    def kind(self) -> str:
        """How the verdicts name the bug: `hint`, `relation`, `unused`, `fault`; `pattern`, or "" if they do not.

        If seeds differ, what is said first counts, but a verdict that names nothing spoils it.
        """
        kinds = [_kind(v) for v in self.verdicts]
        return min(kinds, key=lambda k: k in NAMING) if set(kinds) - set(NAMING) else kinds[0]

    @property
    def hint_confirmed(self) -> bool:
        """Whether the mutant gives what the hint's misconception gives on the cases of every seed."""
        return len({v.hint for v in self.verdicts}) == 1


def _kind(verdict: Verdict) -> str:
    part = verdict.first
    if part is None or part.difference is None:
        return ""
    if verdict.hint:
        return "hint"
    if part.explanation:
        return part.explanation.kind
    return "fault" if part.difference.kind in FAULTS else ""


@dataclass(frozen=True)
class Audit:
    """What the audit found of one exercise. Of what went through, a reason stands beside each name."""

    id: str
    trials: list[Trial]
    trivial_mutants: int
    misconceptions: dict[str, str]  # name -> what is wrong, "" if nothing
    alternatives: dict[str, str]
    battery: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict)  # equivalent mutants: name -> why

    @cached_property
    def survivors(self) -> list[Trial]:
        """Mutants that not every seed's cases reject."""
        return [t for t in self.trials if t.status != "rejected"]

    @property
    def rejected(self) -> list[Trial]:
        """Mutants that the cases of every seed reject."""
        return [t for t in self.trials if t.status == "rejected"]

    @property
    def equivalent(self) -> list[Trial]:
        """Survivors that are listed as equivalent."""
        return [t for t in self.survivors if t.mutant.name in self.reasons and t.status == "survived"]

    @property
    def kinds(self) -> Counter[str]:
        """How the bugs of rejected mutants are named."""
        return Counter(t.kind for t in self.rejected)

    @property
    def confirmed(self) -> int:
        """Hints that fit the mutant on the cases of every seed."""
        return sum(t.kind == "hint" and t.hint_confirmed for t in self.rejected)

    def problems(self) -> list[str]:
        """What is wrong with this exercise's grader or with the list of equivalents, in sentences."""
        equivalent = {t.mutant.name for t in self.equivalent}
        found = [
            f"equivalents.py: {n!r} is no mutant any more, or it is rejected"
            for n in self.reasons
            if n not in equivalent
        ]
        for kind in ("misconceptions", "alternatives", "battery"):
            found += [f"{kind}, {name}: {why}" for name, why in getattr(self, kind).items() if why]
        if len(self.alternatives) < ALTERNATIVES:
            found.append(f"has {len(self.alternatives)} alternatives, but it should have {ALTERNATIVES}")
        return [f"{self.id}: {text}" for text in found]


class _Remembering(Definition):
    """A definition that draws the cases of a seed once: what mistakes give on them is then known for every mutant."""

    @cached_property
    def drawn(self) -> dict[str, Sheet]:
        """Sheets by the state of the generator that they were drawn with."""
        return {}

    def sheet(self, rng: np.random.Generator) -> Sheet:
        """As drawn the first time."""
        key = str(rng.bit_generator.state)
        if key not in self.drawn:
            self.drawn[key] = super().sheet(rng)
        return self.drawn[key]


class Bench:
    """Grades texts as the answer to one exercise in an otherwise right notebook."""

    def __init__(self, engine: Engine, root: Path, lesson: str):
        self.engine = engine
        self.solved = right_answers(root, lesson)
        cells = [c for c in lesson_source.read(root, lesson) if c.kind == "code" and not c.demonstration]
        self.setup = [c.text for c in cells if c.definition is None]

    def verdicts(self, definition: Definition, text: str) -> list[Verdict]:
        """What hidden grading says of an answer, for each seed. Raises EngineError."""
        others = [answer for i, answer in self.solved.items() if i != definition.id]
        cells = [*self.setup, *others, text]
        with self.engine.student(LIMITS) as student:
            for cell in cells:
                try:
                    student.run_cell(cell)
                except StudentCodeDied:  # then it is not there, and that is what grading will say
                    break
            found: list[Verdict] = []
            for seed in SEEDS:
                slow = bool(student.died)  # an endless loop need not cost its time limit for every seed
                found.append(found[-1] if slow and found else grade(definition, student, seed, cells, set()))
        return found


def audit(root: Path, lessons: list[str], engine: Engine, workers: int, quiet: bool = False) -> list[Audit]:
    """Audit every exercise of these lessons that computes something. Raises AuditError, EngineError."""
    found = []
    for lesson in lessons:
        bench = Bench(engine, root, lesson)
        for definition in definitions(lesson).values():
            if isinstance(definition, Definition):
                alternatives = right_alternatives(root, lesson, definition)
                file = root / KEPT / f"{definition.id}-{_digest(root, bench, lesson, definition.id)}.pickle"
                if not file.exists():
                    with ThreadPoolExecutor(1 if _is_measured(definition) else workers) as pool:
                        _keep(file, _audited(bench, _Remembering(**vars(definition)), alternatives, pool, quiet))
                done = pickle.loads(file.read_bytes())  # ours: no student's code writes there
                found.append(replace(done, reasons=EQUIVALENTS.get(definition.id, {})))
    return found


def _is_measured(definition: Definition) -> bool:
    """Whether memory is measured: that counts what all threads of a process hold, so there may be one only."""
    cases = definition.sheet(np.random.default_rng(0)).cases
    return any(step["op"] == "measured" for case in cases for step in case.script)


def _digest(root: Path, bench: Bench, lesson: str, exercise_id: str) -> str:
    """Of all that an exercise's audit depends on: the graders, the lesson's cells, its exercises and alternatives."""
    graders = [f for folder in GRADERS for f in sorted((root / folder).rglob("*.py")) if f.name not in REPORTING]
    own = [root / "autograder" / "exercises" / f"{lesson}.py", root / "tests/lessons/alternatives" / f"{lesson}.py"]
    files = [f for f in graders if f.parent.name != "exercises"] + own
    texts = [exercise_id, *bench.setup, *bench.solved.values(), *(f.read_text(encoding="utf-8") for f in files)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _keep(file: Path, done: Audit) -> None:
    """Keep an exercise's audit, for a run that is interrupted goes on there; older ones of it are thrown away."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for old in file.parent.glob(f"{done.id}-*.pickle"):
        old.unlink()
    part = file.with_suffix(".part")
    part.write_bytes(pickle.dumps(done))
    part.replace(file)


def _audited(
    bench: Bench, definition: Definition, alternatives: dict[str, str], pool: ThreadPoolExecutor, quiet: bool
) -> Audit:
    solved = bench.solved[definition.id]
    mutants = mutants_of(solved)
    misconceptions = {name: misconception_text(definition, name) for name in definition.misconceptions}
    refused = trivial.library_calls(definition, solved)
    others = [*misconceptions.values(), *refused.values(), *alternatives.values()]
    texts = [*(m.text for m in mutants.kept), *others, solved]
    graded = pool.map(lambda text: bench.verdicts(definition, text), texts)
    progress = tqdm(graded, desc=definition.id, total=len(texts), unit="answer", disable=quiet or None, leave=False)
    verdicts = list(progress)
    if not all(v.passed for v in verdicts[-1]):
        raise AuditError(f"{definition.id}: the lesson's own answer is rejected: {verdicts[-1][0]}")
    rest = iter(verdicts[len(mutants.kept) :])
    return Audit(
        definition.id,
        [Trial(m, v) for m, v in zip(mutants.kept, verdicts, strict=False)],
        mutants.trivial,
        {name: _hint_missed(definition, name, next(rest)) for name in misconceptions},
        battery=_battery(definition) | {f"{n} is used": _not_refused(next(rest)) for n in refused},
        alternatives={name: _points_lost(definition, next(rest)) for name in alternatives},
        reasons=EQUIVALENTS.get(definition.id, {}),
    )


def _hint_missed(definition: Definition, name: str, verdicts: list[Verdict]) -> str:
    for seed, verdict in zip(SEEDS, verdicts, strict=True):
        if verdict.passed:
            return f"passes with seed {seed}"
        if verdict.hint != definition.hints[name]:
            return f"with seed {seed} it gets the hint {verdict.hint!r}"
    return ""


def _points_lost(definition: Definition, verdicts: list[Verdict]) -> str:
    earned = {seed: verdict.earned for seed, verdict in zip(SEEDS, verdicts, strict=True)}
    return ", ".join(f"earns {e:g} with seed {s}" for s, e in earned.items() if e < definition.points)


def _not_refused(verdicts: list[Verdict]) -> str:
    refused = all(v.first and v.first.difference and v.first.difference.kind == "forbidden" for v in verdicts)
    return "" if refused else "is not refused"


def _battery(definition: Definition) -> dict[str, str]:
    """Trivial solution -> the points that it earns on visible or hidden cases, "" if none."""
    sheets = [definition.visible_sheet(), *(definition.sheet(generator(seed, definition.id)) for seed in SEEDS)]
    found: dict[str, str] = {}
    for sheet in sheets:
        for name, points in trivial.earned(sheet).items():
            found[name] = found.get(name) or (f"earns {points:g}" if points else "")
    return found


def right_alternatives(root: Path, lesson: str, definition: Definition) -> dict[str, str]:
    """The right answers in other shapes that tests/lessons/alternatives lists. Raises AuditError outside a checkout."""
    if not (root / "tests" / "lessons" / "alternatives" / f"{lesson}.py").exists():
        raise AuditError(
            f"tests/lessons/alternatives/{lesson}.py is missing. The audit runs in a checkout of the course."
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return importlib.import_module("tests.lessons.alternatives").texts(lesson, definition)


@dataclass(frozen=True)
class Totals:
    """The figures that the targets are about."""

    mutants: int
    rejected: int
    equivalent: int
    named: int

    @property
    def raw(self) -> float:
        """The share of all mutants that is rejected."""
        return self.rejected / self.mutants

    @property
    def after(self) -> float:
        """The share that is rejected of the mutants that can be."""
        return self.rejected / (self.mutants - self.equivalent)

    @property
    def named_share(self) -> float:
        """The share of rejected mutants whose verdict names the bug."""
        return self.named / self.rejected


def totals(audits: Iterable[Audit]) -> Totals:
    """The sums over exercises."""
    every = list(audits)
    return Totals(
        sum(len(a.trials) for a in every), sum(len(a.rejected) for a in every), sum(len(a.equivalent) for a in every),
        sum(a.kinds[kind] for a in every for kind in NAMING),
    )  # fmt: skip


def missed(audits: list[Audit], whole: bool) -> list[str]:
    """The targets that are missed, in sentences; empty if the graders are proved.

    One exercise may well have more than its share of equivalent mutants, so the target about all mutants is for the
    whole course; without equivalent ones it is for any part of it.
    """
    found = [problem for a in audits for problem in a.problems()]
    sums = totals(audits)
    if whole and sums.raw < REJECTED:
        found.append(f"{sums.raw:.1%} of all mutants are rejected, but it should be {REJECTED:.0%}")
    if sums.after < REJECTED:
        found.append(f"{sums.after:.1%} of the mutants that are not equivalent are rejected: should be {REJECTED:.0%}")
    if sums.named_share < NAMED:
        found.append(f"the bug is named in {sums.named_share:.1%} of the verdicts, but it should be {NAMED:.0%}")
    return found
