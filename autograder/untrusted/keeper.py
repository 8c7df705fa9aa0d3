"""Where there are no namespaces: a process of ours between the zygote and each submission's.

The kernel hands it whatever a submission's processes leave behind, so that it can end all of that, and it takes away
their files. A pid namespace does better: it ends everything at once, whatever happens to anybody else.
"""

from __future__ import annotations

import os
import shutil
import signal
import time

from autograder.untrusted import linux

PATIENCE = 4.0  # seconds; the trusted side waits a little longer before it kills the keeper


class _Asked(BaseException):
    """The trusted side, or the kernel because the zygote died, asks to come to an end."""


def fork(folder: str) -> int:
    """Fork a keeper, and from it a submission's process: returns the keeper's id in the zygote, 0 in the latter.

    `folder` is made in between, and removed with all that is in it at the end.
    """
    keeper = os.fork()
    if keeper:
        return keeper
    signal.signal(signal.SIGTERM, _ask)
    linux.die_with_parent(signal.SIGTERM)
    linux.adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.mkdir(folder, 0o700)
    student = os.fork()
    if student == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        linux.die_with_parent(signal.SIGKILL)
        return 0
    os.closerange(3, 1 << 16)  # the channel among them: the trusted side must see it close when the student's side does
    _keep(student, folder)
    os._exit(0)


def _ask(*_: object) -> None:
    raise _Asked


def _keep(student: int, folder: str) -> None:
    try:
        while os.waitpid(-1, 0)[0] != student:
            pass
    except (_Asked, ChildProcessError):
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_descendants(time.monotonic() + PATIENCE)
    shutil.rmtree(folder, ignore_errors=True)


def end_descendants(deadline: float) -> bool:
    """Kill all descendants until there are none, for they may have forked meanwhile; whether there are none."""
    while time.monotonic() < deadline:
        # As the first process of a namespace we may name all others in it at once; /proc would be another one's.
        for pid in [-1] if os.getpid() == 1 else _descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:  # gone, or no longer of our user
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        time.sleep(0.005)
    return False


def _descendants(pid: int) -> list[int]:
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    todo += [child for child in map(int, file.read().split()) if child not in found]
        except OSError:
            continue
        if parent != pid:
            found.append(parent)
    return found
