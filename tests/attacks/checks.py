"""What must hold after every attack. Each check returns what went wrong, in words."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.steps.grade import engine
from autograder.submitted import NO_TIMESTAMP, TIMESTAMP
from tests.attacks import pages
from tests.attacks.attack import SUCCEEDED, Attack
from tests.attacks.target import PLACES, Others, Ran, Target

MOST_MEMORY_MB, MOST_PAGE_MB = 300, 20
PR_SET_CHILD_SUBREAPER = 36
UNDONE = ("not implemented yet", "not answered yet")


def adopt_orphans(adopt: bool = True) -> None:
    """Have every process whose parents ended become a child of this one: none can hide from `descendants`."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def descendants(pid: int) -> set[int]:
    """Every process that came of `pid`, in whatever namespace; zombies count."""
    found, todo = set(), [pid]
    while todo:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{todo.pop()}/task").iterdir():
                children = {int(p) for p in (task / "children").read_text().split()} - found
                found |= children
                todo += children
    return found


def memory_mb(field: str) -> float:
    """`VmRSS` or `VmHWM` (its peak) of this process."""
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)[1]) / 1024


@dataclass
class Before:
    """What there was before an attack."""

    processes: set[int]
    zygote: int | None
    memory: float
    others: Others
    calls: int
    temporary: set[str]
    fds: int

    @classmethod
    def now(cls, attack: Attack, target: Target) -> Before:
        """Look, and begin to watch this process's peak of memory anew."""
        Path("/proc/self/clear_refs").write_text("5")
        calls, others = len(target.ears.heard), target.others(attack.name)
        temporary, fds = set(os.listdir(target.folder / "tmp")), len(os.listdir("/proc/self/fd"))
        return cls(ours(), engine(False).pid, memory_mb("VmRSS"), others, calls, temporary, fds)


def tried(target: Target, attack: Attack, bystander: bool = True) -> tuple[Ran, list[str]]:
    """Submit and grade an attack, then (if asked) an honest student; return what came of it and all that went wrong."""
    target.submit(attack)
    before = Before.now(attack, target)
    ran = target.run(attack)
    return ran, all_faults(ran, before) + (bystander_faults(target) if bystander else [])


def all_faults(ran: Ran, before: Before) -> list[str]:
    """Everything that went wrong; empty if the attack failed as it must."""
    found = unharmed(ran, before)
    if ran.trouble:
        return [*found, ran.trouble]
    if sizes := {p.name: p.stat().st_size >> 20 for p in ran.written() if p.stat().st_size > MOST_PAGE_MB << 20}:
        return [*found, f"too large for anybody to open, in MB: {sizes}"]
    found += marks(ran) + reasons(ran) + nothing_told(ran) + only_text(ran)
    if afterwards := ran.attack.functions.get("afterwards"):
        found += afterwards(ran)
    return found


def marks(ran: Ran) -> list[str]:
    """Exactly the points that the attack earns."""
    wrong = {i: (ran.marks.get(i), due) for i, due in ran.attack.expected.items() if ran.marks.get(i) != due}
    found = [f"{i}: {got} points instead of {due}" for i, (got, due) in wrong.items()]
    if ran.graded.total != sum(ran.attack.expected.values()):
        found.append(f"{ran.graded.total} points in all")
    return found


def reasons(ran: Ran) -> list[str]:
    """A reason for each lost point, in the graded cell and on the page, and the one that the attack names."""
    found = []
    for exercise, due in ran.attack.expected.items():
        said = ran.graded.said.get(exercise, "")
        why = re.sub(r"^\S+ \S+: .*? \d\S* of \d\S* points?", "", said).strip()
        lost = (ran.marks.get(exercise) or 0) < ran.target.honest[ran.attack.lesson].scores[exercise]
        if lost and not why and not any(text in said for text in UNDONE):
            found.append(f"{exercise}: {due} points and no reason: {said!r}")
        if _dense(said[:80]) not in _dense(ran.words):
            found.append(f"{exercise}: the page does not show {said[:80]!r}")
    return found + _said(ran)


def _dense(text: str) -> str:
    return "".join(text.split())


def _said(ran: Ran) -> list[str]:
    attack, said = ran.attack, ran.graded.said
    wanted = attack.says if isinstance(attack.says, dict) else dict.fromkeys(attack.answers, attack.says)
    lacking = [
        f"{i} says {said.get(i)!r}, not {text!r}" for i, text in wanted.items() if not _has(text, said.get(i, ""))
    ]
    if isinstance(attack.says, str) and not attack.answers and not _has(attack.says, " ".join(said.values())):
        lacking.append(f"nothing says {attack.says!r}: {' '.join(said.values())[:500]}")
    if not _has(attack.shows, ran.words):
        lacking.append(f"the page does not show {attack.shows!r}: {_outputs(ran)}")
    return lacking


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.DOTALL) is not None


def _outputs(ran: Ran) -> str:
    cells = [c for c in ran.graded.notebook.cells if c.cell_type == "code" and "nbgrader" not in c.metadata]
    return str([o.get("text") or o.get("evalue") or o.get("data") for c in cells for o in c.outputs])[:2000]


def nothing_told(ran: Ran) -> list[str]:
    """No secret in anything that was written for the attacker, and no attempt that succeeded."""
    found = []
    for path in ran.written():
        if path.is_symlink() or not path.is_file():
            found.append(f"{path} is no plain file")
            continue
        content = path.read_bytes()
        found += [f"{path.name} tells the canary in {p}" for p in PLACES if ran.target.canaries[p].encode() in content]
    return found + [f"an attempt succeeded: {line[:300]}" for line in _printed(ran) if SUCCEEDED in line]


def _printed(ran: Ran) -> list[str]:
    """Every line that the student's cells printed."""
    cells = [c for c in ran.graded.notebook.cells if c.cell_type == "code"]
    return [line for c in cells for o in c.outputs for line in o.get("text", "").split("\n")]


def only_text(ran: Ran) -> list[str]:
    """Nothing of the attacker's runs in the page of the student or of the instructor."""
    target, lesson = ran.target, ran.attack.lesson
    found = pages.faults(ran.feedback, target.pages[lesson], "feedback")
    return found + pages.faults(ran.formgrade, target.formgrade_pages[lesson], "formgrader")


def unharmed(ran: Ran, before: Before) -> list[str]:
    """No process is left, the zygote lives, memory and time are in bounds, and nobody else's things changed."""
    found, target = [], ran.target
    if ran.seconds > ran.attack.seconds:
        found.append(f"it took {ran.seconds:.1f} s, more than {ran.attack.seconds:g} s")
    if (grown := memory_mb("VmHWM") - before.memory) > MOST_MEMORY_MB:
        found.append(f"the grader grew by {grown:.0f} MB")
    if engine(False).pid != before.zygote:
        found.append("the zygote died")
    if left := _left_over(before):
        found.append(f"processes are left: {left}")
    if left := set(os.listdir(target.folder / "tmp")) - before.temporary:
        found.append(f"temporary files are left: {sorted(left)}")
    if (more := len(os.listdir("/proc/self/fd")) - before.fds) > 3:
        found.append(f"{more} files are left open in the grader")
    if len(target.ears.heard) > before.calls:
        found.append(f"somebody called: {target.ears.heard[before.calls :]}")
    return found + _others(ran, before.others)


def _left_over(before: Before) -> list[str]:
    """Processes that the attack left; the kernel gets its time to end them, on a busy machine more than a moment."""
    deadline = time.monotonic() + 20
    while (left := ours() - before.processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = []
    for pid in left:
        with contextlib.suppress(OSError):
            names.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:80])
    return names


def ours() -> set[int]:
    """Our processes, and all that came of them but one: the process that waits to be the next student's.

    It alone of the zygote's children is still in the zygote's own namespaces; a student's can never go back there.
    """
    found = descendants(os.getpid())
    zygotes = descendants(engine(False).pid or 0) - {engine(False).pid}
    waiting = {pid for pid in zygotes if _parent(pid) in zygotes and _mounts(pid) == _mounts(_parent(pid))}
    return found - waiting if len(waiting) == 1 else found


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])
    return -1


def _mounts(pid: int) -> str:
    """The mount namespace of a process."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/mnt")
    return f"none: {pid}"


def _others(ran: Ran, before: Others) -> list[str]:
    now = ran.target.others(ran.attack.name)
    found = [] if now.rows == before.rows else ["somebody else's rows in the gradebook changed"]
    # What was no file and is one now is the grader's word on a link or pipe, in the attacker's own folder.
    new = {p for p in now.files.keys() - before.files.keys() if f"/submitted/{ran.attack.name}/" not in p}
    changed = new | {
        p for p in before.files if before.files[p] not in (now.files.get(p), *map(now.files.get, _aside(p)))
    }
    return found + [f"{path} changed" for path in sorted(changed)[:5]]


def _aside(path: str) -> list[str]:
    """Where the grader may move a file of a submission as it is: a timestamp that is no date, what it will not read."""
    timestamp = [str(Path(path).with_name(NO_TIMESTAMP))] if Path(path).name == TIMESTAMP else []
    return [*timestamp, re.sub(r"(/submitted/[^/]+/[^/]+)/", r"\1.set-aside/", path)]


def bystander_faults(target: Target) -> list[str]:
    """An honest student, graded right after the attack, still gets every point."""
    graded = target.bystander()
    if not graded.success:
        return [f"the next student was not graded: {graded.log[-500:]}"]
    full = target.honest[graded.lesson].scores
    return [] if graded.scores == full else [f"the next student got {graded.scores}"]
