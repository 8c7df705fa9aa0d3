"""The layers around a student's process, put on in two stages: once for the zygote, once for each submission.

A layer that this kernel or this account does not give is noted by name with the reason; the trusted side decides
whether to go on without it. None is assumed to hold because a call returned: `autograder doctor` tries each one.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from autograder.untrusted import landlock, linux, private_root, seccomp
from autograder.untrusted.private_root import SCRATCH

STUDENT_ID = 1000  # the only user and group there is inside
LAYERS = {
    "namespaces": "own users, processes, mounts, network, IPC, host name: nothing outside can be seen or signalled",
    "private root": "only the Python stack, read-only; no course folder, no gradebook, no other submission",
    "private places": "an empty scratch folder and /dev/shm with a quota, and a /proc of its own",
    "capabilities": "no privileges, and no way to new ones",
    "landlock": "a second decision on every file; no TCP, no abstract sockets, no signals to others",
    "seccomp": "no system calls that attacks begin with; no sockets but local ones",
    "limits": "memory, processes, file size, open files and processor time are bounded",
}


@dataclass
class Jail:
    """What the zygote knows of its surroundings. `missing` holds layer -> reason."""

    shown: list[str]
    covered: list[str]
    base: str  # an empty folder to build the private root in
    fallback_scratch: str  # an empty folder to write in, where there is no private root
    user: int  # whom root becomes
    missing: dict[str, str] = field(default_factory=dict)
    filter: bytes = b""
    own_pid_namespace: int = -1
    proc: bool = False

    @property
    def scratch(self) -> str:
        """Where a student's code may write."""
        return SCRATCH if "private root" not in self.missing else self.fallback_scratch

    def _try(self, layer: str, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self.missing.setdefault(layer, str(error))

    def enter(self) -> None:
        """Stage one, in the zygote. Returns in a child process if there are namespaces: see `_enter_namespaces`."""
        self._try("seccomp", self._compile_filter)
        self._try("namespaces", self._enter_namespaces)
        if "namespaces" in self.missing:
            self._without_namespaces()

    def _compile_filter(self) -> None:
        self.filter = seccomp.compiled()

    def _enter_namespaces(self) -> None:
        everything = linux.NEWUSER | linux.NEWPID | linux.ALL_BUT_PID
        as_root = os.getuid() == 0
        if as_root:  # build the root while everything can be read, then become nobody, and only then make the user
            linux.unshare(linux.NEWNS)
            private_root.build(self.base, self.shown, self.covered)
            self._become_nobody()
            linux.prctl(linux.PR_SET_DUMPABLE, 1)  # else /proc/self/uid_map belongs to root
        uid, gid = os.getuid(), os.getgid()
        linux.unshare(everything)
        linux.map_ids(uid, gid, STUDENT_ID)
        self._become_first_process()
        if not as_root:
            self._try("private root", lambda: private_root.build(self.base, self.shown, self.covered))
        self._try("private places", self._mount_proc)
        self.own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if self.proc else -1

    def _mount_proc(self) -> None:
        private_root.mount_proc()
        self.proc = True

    def _become_nobody(self) -> None:
        os.setgroups([])
        os.setresgid(self.user, self.user, self.user)
        os.setresuid(self.user, self.user, self.user)

    def _become_first_process(self) -> None:
        """Go on as the first process of the new pid namespace: when it ends, the kernel ends all others in it."""
        child = os.fork()
        if child:
            signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
            status = os.waitpid(child, 0)[1]
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        linux.die_with_parent(signal.SIGKILL)

    def _without_namespaces(self) -> None:
        reason = "needs namespaces"
        self.missing |= {"private root": reason, "private places": reason}
        if os.getuid() == 0:
            os.chown(self.fallback_scratch, self.user, self.user)
            self._try("capabilities", self._become_nobody)

    def fork(self) -> int:
        """Fork a process for one submission; with namespaces it is the first one of a pid namespace of its own."""
        if self.own_pid_namespace < 0:
            return os.fork()
        # Only the next child would enter the new namespace, and that one would die with it: go back home each time.
        linux.setns(self.own_pid_namespace, linux.NEWPID)
        linux.unshare(linux.NEWPID)
        pid = os.fork()
        if pid:
            linux.setns(self.own_pid_namespace, linux.NEWPID)
        return pid

    def enter_places(self, scratch_mb: int) -> None:
        """Stage two, in a submission's process: places of its own."""
        if "namespaces" not in self.missing:
            linux.die_with_parent(signal.SIGKILL)
            linux.unshare(linux.ALL_BUT_PID)
            if "private root" not in self.missing:
                self._try("private places", lambda: private_root.mount_private_places(scratch_mb, self.proc))

    def lock(self, limits: dict[str, float]) -> None:
        """Stage two, the end: limits and filters, after which nothing can be opened up again."""
        self._try("limits", lambda: _limit(limits))
        self._try("capabilities", _give_up_privileges)
        readable = [*self.shown, "/etc", "/proc", "/dev"]
        self._try("landlock", lambda: landlock.restrict(readable, [self.scratch, "/dev/shm", "/dev/null"]))
        if "seccomp" not in self.missing:
            self._try("seccomp", lambda: seccomp.install(self.filter))


def _give_up_privileges() -> None:
    linux.drop_capabilities()
    linux.no_new_privileges()


def _limit(limits: dict[str, float]) -> None:
    seconds = int(limits["notebook_seconds"]) + 5
    bounds = {
        resource.RLIMIT_CORE: 0,  # a core dump would hold what is in memory, and fill the disk
        resource.RLIMIT_AS: _address_space() + (int(limits["memory_mb"]) << 20),
        resource.RLIMIT_FSIZE: int(limits["file_mb"]) << 20,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_NPROC: int(limits["processes"]),
        resource.RLIMIT_MEMLOCK: 1 << 20,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_CPU: seconds,
    }
    for kind, bound in bounds.items():
        resource.setrlimit(kind, (bound, bound))


def _address_space() -> int:
    """Bytes that this process has mapped already: torch's libraries are no memory of the student's."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
