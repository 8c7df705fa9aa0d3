"""Kill parts of `autograder grade` at random moments, go on, and count what was lost, doubled or wrong.

A round is one class that is graded from the beginning to the end while parts of one kind are killed. A trigger in the
database logs each time that a submission is recorded, so that nothing can be recorded twice without being seen.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psycopg
import sqlalchemy as sa
from nbgrader.utils import is_grade

from autograder import database, results
from tests.bulk import postgres
from tests.bulk.course import LESSON, CourseCopy, generated
from tests.fuzz.fuzzing import POINTS
from tests.grading.classroom import ROOT, fill, slimmed, solved

STUDENTS = [f"s{i:02d}" for i in range(12)]
PAUSE = "\nimport time\ntime.sleep(0.4)"  # so that a kill meets submissions under way
KINDS = ("client", "worker", "zygote", "database connection", "database server", "nbgrader autograde")
ROUND_SECONDS = 900
LOGS = {
    "sqlite": "CREATE TRIGGER log_results AFTER INSERT ON course_result BEGIN "
    "INSERT INTO result_log VALUES (new.student, new.content); END",
    "postgresql": "CREATE FUNCTION log_result() RETURNS trigger AS $$ BEGIN "
    "INSERT INTO result_log VALUES (new.student, new.content); RETURN new; END $$ LANGUAGE plpgsql; "
    "CREATE TRIGGER log_results AFTER INSERT ON course_result FOR EACH ROW EXECUTE FUNCTION log_result()",
}


@dataclass
class Count:
    """What kills of one kind did."""

    kills: int = 0
    hits: int = 0  # with at least one submission being graded at that moment, or a transaction open
    rounds: int = 0
    starts: int = 0  # of the command, the first of each round not counted
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All that must not happen."""
        return self.lost + self.doubled + self.wrong


class Class:
    """A class whose marks are known; every round it hands in something new."""

    def __init__(self, course: CourseCopy, rng: random.Random, students: list[str]):
        self.course, self.rng, self.students = course, rng, students
        self.answers = solved(LESSON)
        self.expected: dict[str, dict[str, float]] = {}
        self._log_results()

    def _log_results(self) -> None:
        engine = sa.create_engine(self.course.url)
        with engine.begin() as connection:
            results.create(connection)
            connection.exec_driver_sql("CREATE TABLE result_log (student TEXT, content TEXT)")
            connection.exec_driver_sql(LOGS[engine.dialect.name])
        engine.dispose()

    def hand_in(self, number: int) -> None:
        """Every student hands in another random part of the solution."""
        path = self.course.folder / "build" / "release" / LESSON / f"{LESSON}.ipynb"
        for student in self.students:
            right = [e for e in POINTS if self.rng.random() < 0.6]
            self.expected[student] = {e: POINTS[e] if e in right else 0.0 for e in POINTS}
            notebook = fill(slimmed(nbformat.read(path, as_version=4)), {e: self.answers[e] for e in right})
            notebook.cells[0].source += f"{PAUSE}\n# round {number}"
            self.course.submitted(student).mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, self.course.path(student, "submitted"))

    def recorded(self) -> int:
        """How many submissions have been recorded, ever."""
        with contextlib.suppress(sa.exc.SQLAlchemyError):  # the database may be the part that was killed
            return len(self.course.query("SELECT student FROM result_log"))
        return -1

    def judge(self, number: int, count: Count) -> None:
        """Look at everything that is recorded, and at the autograded notebooks."""
        database.patiently(lambda: self.course.query("SELECT 1"))  # it may be repairing itself after a kill
        rows = self.course.rows()["grades"]
        log = [student for (student,) in self.course.query("SELECT student FROM result_log")]
        for student in self.students:
            name, own = f"round {number}, {student}", [r for r in rows if r[0] == student]
            what = f"{name}: {len(own)} grades, recorded {log.count(student)} times in {number} rounds"
            if len(own) > len(POINTS) or log.count(student) > number:
                count.doubled.append(what)
            if len(own) < len(POINTS) or log.count(student) < number:
                count.lost.append(what)
            elif self.course.scores(student) != self.expected[student] or any(r[5] for r in own):
                count.wrong.append(f"{name}: {self.course.scores(student)} instead of {self.expected[student]}")
            elif self._in_notebook(student) != self.expected[student]:
                count.wrong.append(f"{name}: the autograded notebook says {self._in_notebook(student)}")

    def _in_notebook(self, student: str) -> dict[str, float]:
        cells = nbformat.read(self.course.path(student), as_version=4).cells
        marks = {
            c.metadata.nbgrader.grade_id: c.outputs[0].data["text/plain"] for c in cells if is_grade(c) and c.outputs
        }
        return {name.replace("-", ".", 1): float(mark) for name, mark in marks.items()}


class Process:
    """A command that grades, and what came of it."""

    def __init__(self, arguments: list[str], course: CourseCopy):
        with open(course.folder / "log", "a") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=course.folder, stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
            )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.popen.poll() is not None

    def parts(self, kind: str) -> list[int]:
        """The processes of one kind."""
        return [pid for pid, depth, text in _family(self.popen.pid) if _kind(text, depth) == kind]

    def kill(self) -> None:
        """Kill it and wait for it."""
        self.popen.kill()
        self.popen.wait()

    def ends_well(self, seconds: float) -> bool:
        """Wait for its end; whether it had nothing left to do. It is killed if that takes too long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.popen.wait(seconds) == 0
        self.kill()
        return False


def _kind(text: str, depth: int) -> str:
    if "autograder.untrusted" in text:
        return "zygote" if depth <= 1 else "student"
    return "worker" if "multiprocessing.spawn" in text else ""


def _family(pid: int, depth: int = 0) -> Iterator[tuple[int, int, str]]:
    """The descendants of a process, each with its command and how many ancestors have the same command."""
    with contextlib.suppress(OSError):
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            for child in map(int, (task / "children").read_text().split()):
                text = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                same = depth + 1 if "autograder.untrusted" in text else 0
                yield child, same - 1 if same else 0, text
                yield from _family(child, same)


class Campaign:
    """Rounds of kills on a course with SQLite and on one with PostgreSQL."""

    def __init__(self, folder: Path, server: postgres.Server, seed: int, most: int = 4, students: int = len(STUDENTS)):
        self.rng, self.server = random.Random(seed), server
        self.most = most  # kills of one round
        self.counts = {kind: Count() for kind in KINDS}
        self.number: dict[str, int] = {"sqlite": 0, "postgresql": 0}
        self.classes = {
            "sqlite": Class(generated(folder / "sqlite"), self.rng, STUDENTS[:students]),
            "postgresql": Class(
                generated(folder / "postgresql", server.create("faults")), self.rng, STUDENTS[:students]
            ),
        }
        for name, group in self.classes.items():
            text = "from pathlib import Path\nfrom autograder.configuration import course_config\nc = get_config()\n"
            text += f"c.merge(course_config(Path({str(group.course.folder)!r})))\n"
            text += f"c.CourseDirectory.db_url = {group.course.url!r}\n"
            (folder / name / "nbgrader_config.py").write_text(text)

    def run(self, kills: int) -> Iterator[str]:
        """Rounds of all kinds in turn until there were so many kills; after each round, its kind."""
        while sum(count.kills for count in self.counts.values()) < kills:
            kind = KINDS[sum(count.rounds for count in self.counts.values()) % len(KINDS)]
            where = "postgresql" if kind.startswith("database") else self.rng.choice(list(self.classes))
            left = kills - sum(count.kills for count in self.counts.values())
            self._round(kind, where, min(left, self.most))
            yield kind

    def _round(self, kind: str, where: str, most: int) -> None:
        count, group = self.counts[kind], self.classes[where]
        self.number[where] += 1
        count.rounds += 1
        group.hand_in(self.number[where])
        if kind == "nbgrader autograde":
            self._kill_nbgrader(group, count)
            most = 0
        if not self._grade(kind, group, count, most):
            count.lost.append(
                f"not finished in {ROUND_SECONDS} s:\n{(group.course.folder / 'log').read_text()[-3000:]}"
            )
        group.judge(self.number[where], count)

    def _kill_nbgrader(self, group: Class, count: Count) -> None:
        """Kill nbgrader's own command somewhere in the middle; `autograder grade` goes on."""
        process = Process(["nbgrader", "autograde", LESSON, "--force"], group.course)
        until(lambda: process.parts("student") or process.ended, 60)
        self._wait(0, 4)
        count.hits += bool(process.parts("student"))
        count.kills += not process.ended
        process.kill()

    def _grade(self, kind: str, group: Class, count: Count, most: int) -> bool:
        """Run the command, killing parts of it, and starting it again as often as it takes; whether it finished."""
        end, killed = time.monotonic() + ROUND_SECONDS, 0
        while time.monotonic() < end:
            process = Process(["autograder", "grade", LESSON, "--workers", "2"], group.course)
            while killed < most and not process.ended:
                killed += self._strike(kind, process, group, count)
            if process.ends_well(max(1.0, end - time.monotonic())):
                return True
            count.starts += 1
        return False

    def _strike(self, kind: str, process: Process, group: Class, count: Count) -> int:
        """Kill one part at a random moment; how many it were."""
        self._wait_for_work(process)
        hit = self._under_way(process, group)
        if process.ended or not self._kill(kind, process):
            time.sleep(0.05)
            return 0
        count.kills += 1
        count.hits += hit
        return 1

    def _wait_for_work(self, process: Process) -> None:
        """Until a random moment: mostly while submissions are graded, sometimes before."""
        if self.rng.random() < 0.15:
            self._wait(0, 6)
            return
        until(lambda: process.parts("student") or process.ended, 60)
        self._wait(0, 2)

    def _wait(self, least: float, most: float) -> None:
        time.sleep(self.rng.uniform(least, most))

    def _under_way(self, process: Process, group: Class) -> bool:
        if process.parts("student"):
            return True
        return group.course.url.startswith("postgresql") and bool(self._busy_backends())

    def _busy_backends(self) -> list[int]:
        with contextlib.suppress(psycopg.Error), self.server.connection() as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = 'faults' AND state <> 'idle'"
            return [pid for (pid,) in connection.execute(query)]
        return []

    def _kill(self, kind: str, process: Process) -> bool:
        """Kill a part; False if there is none at this moment."""
        if kind == "client":
            process.kill()
            return True
        if kind == "database server":
            self.server.kill()
            self._wait(0, 1.5)
            self.server.start()
            return True
        with contextlib.suppress(ProcessLookupError, psycopg.Error):  # it has ended, or is still repairing its data
            victims = self.server.backends("faults") if kind == "database connection" else process.parts(kind)
            if victims:
                os.kill(self.rng.choice(victims), signal.SIGKILL)
                return True
        return False


def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait for a condition, no longer than so many seconds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
