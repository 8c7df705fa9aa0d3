"""The course under attack: real nbgrader, real engine, another student, secrets lying about, and ears for any call."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import re
import secrets
import signal
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.server_extensions.formgrader import handlers

from autograder.demo import fill
from tests.attacks.attack import ATTEMPTS, CH02, CH06, M22, Attack
from tests.attacks.pages import Page
from tests.grading.classroom import Classroom, Graded, slimmed, solved

BYSTANDER, RIVAL = "bystander", "rival"  # graded after each attack; graded once, before all of them
PLACES = ("environment", "gradebook", "submission", "file", "memory", "shared-memory", "temporary")
SHARED_MEMORY = Path("/dev/shm")
# Tight, so that what never ends takes seconds, and the floods hurt nobody who runs the tests.
CASE_SECONDS, CELL_SECONDS = 2.0, 3
EXTRA_SECONDS = 60.0  # after which the grader counts as hung
LIMITS = {"notebook_seconds": 20, "memory_mb": 1000, "scratch_mb": 64, "file_mb": 16, "output_mb": 2}


@dataclass(frozen=True)
class Others:
    """What an attack must leave as it was."""

    rows: str  # digest of the gradebook without the attacker
    files: dict[str, tuple[int, ...]]  # every file of the course but the attacker's marks and feedback


@dataclass
class Ran:
    """An attack after it was graded."""

    attack: Attack
    target: Target
    graded: Graded
    trouble: str  # why nbgrader gave no marks or no feedback
    seconds: float  # for the marks and the feedback
    kernel_mb: float  # by how much the memory grew that no process owns

    @cached_property
    def marks(self) -> dict[str, float | None]:
        """Exercise id -> points in the gradebook."""
        return self.graded.scores

    @cached_property
    def feedback(self) -> Page:
        """The page that the student gets."""
        return Page(self.graded.feedback)

    @cached_property
    def formgrade(self) -> Page:
        """The page that the instructor sees in formgrader."""
        return Page(self.target.formgrade(self.graded))

    @property
    def words(self) -> str:
        """What a reader of the feedback sees."""
        return self.feedback.words

    def written(self) -> list[Path]:
        """Every file that grading and feedback made for this student."""
        folders = [self.target.course / kind / self.attack.name for kind in ("autograded", "feedback")]
        return [p for folder in folders for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()]


@dataclass
class Target:
    """A course folder with its secrets. Everything is graded through `Classroom`."""

    folder: Path
    canaries: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.canaries = {place: f"CANARY-{place}-{secrets.token_hex(8)}" for place in PLACES}
        os.environ["COURSE_CANARY"] = self.canaries["environment"]
        self.course = self.folder / "class"
        self.classroom = Classroom(self.course, [CH02, CH06, M22], CASE_SECONDS, CELL_SECONDS, LIMITS)
        self.ears = Ears()
        self._plant()
        self.classroom.submit(RIVAL, CH02, self.rivals_notebook())
        self.rival = self.classroom.grade(RIVAL, CH02)
        self.honest = {lesson: self.bystander(lesson) for lesson in (CH06, M22, CH02)}
        self.pages = {lesson: Page(graded.feedback) for lesson, graded in self.honest.items()}
        self.formgrade_pages = {lesson: Page(self.formgrade(graded)) for lesson, graded in self.honest.items()}

    def _plant(self) -> None:
        (self.course / "instructor.txt").write_text(self.canaries["file"])
        (self.course / "build" / "source" / "instructor.txt").write_text(self.canaries["file"])
        self.spilled = [SHARED_MEMORY / "course-canary", self.folder.parent / "course-canary.txt"]
        self.spilled[0].write_text(self.canaries["shared-memory"])
        self.spilled[1].write_text(self.canaries["temporary"])
        with Gradebook(self.classroom.db_url) as gradebook:
            gradebook.add_student("zz-canary", first_name=self.canaries["gradebook"])

    def rivals_notebook(self) -> NotebookNode:
        """A solved lesson of somebody else, with something in it that nobody else should see."""
        notebook = fill(slimmed(self.classroom.released(CH02)), solved(CH02))
        notebook.cells[0].source += f"\nsecret = {self.canaries['submission']!r}\nprint(len(secret))"
        return notebook

    def bystander(self, lesson: str = CH02) -> Graded:
        """Grade an honest student, whoever was graded before."""
        self.classroom.submit(BYSTANDER, lesson, fill(slimmed(self.classroom.released(lesson)), solved(lesson)))
        return self.classroom.grade(BYSTANDER, lesson)

    def close(self) -> None:
        """Take away what lies outside the course's folder."""
        self.ears.close()
        os.environ.pop("COURSE_CANARY", None)
        for path in self.spilled:
            path.unlink(missing_ok=True)

    def run(self, attack: Attack) -> Ran:
        """Grade an attack that was submitted, and make its feedback page."""
        start = time.monotonic()
        with deadline(attack.seconds + EXTRA_SECONDS), MemoryWatch() as watch:
            graded = self.classroom.grade(attack.name, attack.lesson)
            trouble = self._trouble(graded)
        return Ran(attack, self, graded, trouble, time.monotonic() - start, watch.taken)

    def _trouble(self, graded: Graded) -> str:
        if not graded.success:
            return f"nbgrader autograde failed: {graded.log[-2000:]}"
        try:
            return "" if graded.feedback else "the feedback page is empty"
        except AssertionError as error:
            return f"nbgrader generate_feedback failed: {str(error)[-2000:]}"

    def submit(self, attack: Attack) -> None:
        """Put an attack where `nbgrader collect` would put it."""
        notebook = slimmed(self.classroom.released(attack.lesson))
        answers = solved(attack.lesson) if attack.honest else {}
        fill(notebook, answers | {i: self.told(text) for i, text in attack.answers.items()})
        if attack.setup:
            notebook.cells.insert(1, nbformat.v4.new_code_cell(self.told(attack.setup), id="attack"))
        if tamper := attack.functions.get("tamper"):
            notebook = tamper(notebook) or notebook
        content = nbformat.writes(notebook).encode("utf-8", "surrogatepass")
        if raw := attack.functions.get("raw"):
            content = raw(content)
        self.classroom.submit(attack.name, attack.lesson, content)
        self._beside(attack, self.classroom.submitted(attack.name, attack.lesson).parent)

    def _beside(self, attack: Attack, folder: Path) -> None:
        for name, text in attack.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.told(text))
        if files := attack.functions.get("files"):
            files(folder)
        if outside := attack.functions.get("outside"):
            outside(self)

    def told(self, text: str) -> str:
        """The text of an attack, with all that an attacker could possibly know filled in."""
        known = {
            "COURSE": self.course,
            "OTHER": self.classroom.submitted(RIVAL, CH02).parent,
            "PID": os.getpid(),
            "PORT": self.ears.port,
            "SOCKET": self.ears.name,
            "ATTEMPTS": ATTEMPTS,
        }
        for name, value in known.items():
            text = text.replace("{{" + name + "}}", str(value))
        return text

    @cached_property
    def exporter(self) -> HTMLExporter:
        """Makes formgrader's pages, set up as formgrader does it."""
        config = copy.deepcopy(self.classroom.config)
        config.HTMLExporter.template_name = "formgrade"
        config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
        return HTMLExporter(config=config)

    def formgrade(self, graded: Graded) -> str:
        """The page that formgrader shows of a submission, made as its handler makes it."""
        about = {"assignment_id": graded.lesson, "notebook_id": graded.lesson, "submission_id": "0", "index": 0,
                 "total": 1, "base_url": "", "student": graded.student, "last_name": None, "first_name": None,
                 "notebook_path": "notebooks"}  # fmt: skip
        page, _ = self.exporter.from_filename(str(graded.path), resources=about)
        return page.replace(graded.student, "somebody")

    def others(self, attacker: str) -> Others:
        """Everything that belongs to others than the attacker and the bystander, who is graded again each time."""
        return Others(self._rows(attacker), self._files(attacker))

    def _rows(self, attacker: str) -> str:
        """A digest of the gradebook's rows that are not the attacker's or the bystander's."""
        where = "student_id NOT IN (?, ?)"
        theirs = f"SELECT id FROM submitted_assignment WHERE {where}"
        notebooks = f"SELECT id FROM submitted_notebook WHERE assignment_id IN ({theirs})"
        asked = {
            "student": "id NOT IN (?, ?)",
            "submitted_assignment": where,
            "submitted_notebook": f"assignment_id IN ({theirs})",
            "grade": f"notebook_id IN ({notebooks})",
            "comment": f"notebook_id IN ({notebooks})",
            **dict.fromkeys(
                ["course", "assignment", "notebook", "base_cell", "source_cell", "grade_cells"], "?1 != ?2"
            ),
        }
        digest = hashlib.sha256()
        with contextlib.closing(sqlite3.connect(self.course / "gradebook.db")) as database:
            for table, condition in asked.items():
                found = database.execute(f"SELECT * FROM {table} WHERE {condition}", (attacker, BYSTANDER))
                digest.update(f"{table} {sorted(map(repr, found))}".encode())
        return digest.hexdigest()

    def _files(self, attacker: str) -> dict[str, tuple[int, ...]]:
        """Size, mode and time of change of every file that grading the attacker has no business with."""
        found = {}
        for path in self.course.rglob("*"):
            parts = path.relative_to(self.course).parts
            theirs = len(parts) > 1 and parts[0] in ("autograded", "feedback") and parts[1] in (attacker, BYSTANDER)
            if theirs or parts[:2] == ("submitted", BYSTANDER) or parts[0].startswith("gradebook.db"):
                continue
            info = path.lstat()
            if stat.S_ISREG(info.st_mode):  # a link or pipe that was handed in may be taken away
                found[str(path)] = info.st_mode, info.st_size, info.st_mtime_ns
        return found


class Hung(BaseException):
    """The grader itself did not end. Not an Exception: nbgrader would catch it."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise Hung if the block, in the grader's own process, takes longer."""

    def ring(*_: object) -> None:
        raise Hung(f"the grader took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class MemoryWatch:
    """How much more memory the kernel held for itself meanwhile, in MiB: what fills sockets' buffers is no process's.

    Processes' own memory, the page cache and files in memory do not count, or tests that run beside would.
    """

    def __enter__(self) -> MemoryWatch:
        self.before = self.most = _kernel_mb()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.1):
            self.most = max(self.most, _kernel_mb())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    @property
    def taken(self) -> float:
        """MiB."""
        return self.most - self.before


def _kernel_mb() -> float:
    kib = dict(re.findall(r"^(\w+):\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE))
    others = ("MemFree", "Buffers", "Cached", "SReclaimable", "AnonPages")
    return (int(kib["MemTotal"]) - sum(int(kib[name]) for name in others)) / 1024


class Ears:
    """A TCP and UDP port and an abstract Unix socket of this machine; `heard` says which of them anybody called."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.name = f"course-attacks-{os.getpid()}"
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", self.port))
        local = socket.socket(socket.AF_UNIX)
        local.bind("\0" + self.name)
        tcp.listen()
        local.listen()
        self.sockets = {"TCP": tcp, "UDP": udp, "abstract socket": local}
        for kind, sock in self.sockets.items():
            threading.Thread(target=self._listen, args=(kind, sock), daemon=True).start()

    def _listen(self, kind: str, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock.recv(1) if kind == "UDP" else sock.accept()[0].close()
                self.heard.append(kind)

    def close(self) -> None:
        """Stop listening."""
        for sock in self.sockets.values():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
