"""The layers around a student's process, put on in two stages: once for the zygote, once for each submission.

A layer that this kernel or this account does not give is noted by name with the reason; the trusted side decides
whether to go on without it. None is assumed to hold because a call returned: `autograder doctor` tries each one.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from autograder.untrusted import keeper, landlock, linux, private_root, seccomp
from autograder.untrusted.private_root import DEVICES, SCRATCH

STUDENT_ID = 1000  # the only user and group there is inside
EVERYTHING = linux.NEWUSER | linux.NEWPID | linux.ALL_BUT_PID
# Beside the Python stack and the devices. Not all of /etc and /dev: without a private root they are the machine's.
FILES = ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/proc")
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
    forks: int = 0

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
        if os.getuid() == 0 and not linux.may_administer():  # in a container: to the kernel an ordinary user, but for
            self._try("limits", self._become_nobody_with_scratch)  # one thing, that it counts no processes of root's
        self._try("namespaces", self._enter_namespaces)
        if "namespaces" in self.missing:
            self._without_namespaces()

    def _compile_filter(self, connecting: bool = True) -> None:
        self.filter = seccomp.compiled(connecting)

    def _enter_namespaces(self) -> None:
        as_root = os.getuid() == 0 and linux.may_administer()
        self._require_namespaces(as_root)
        if as_root:  # build the root while everything can be read, then become nobody, and only then make the user
            linux.unshare(linux.NEWNS)
            private_root.build(self.base, self.shown, self.covered)
            self._become_nobody()
        self._become_own_user()
        self._become_first_process()
        if not as_root:
            self._try("private root", lambda: private_root.build(self.base, self.shown, self.covered))
        if "private root" in self.missing:
            self.missing["private places"] = "they need a private root"
        else:
            self._try("private places", self._mount_proc)
        self.own_pid_namespace = os.pidfd_open(os.getpid())

    def _require_namespaces(self, as_root: bool) -> None:
        """Try in a child first: once one is in some of them there is no way back to do without."""
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if as_root:
                    self._become_nobody()
                self._become_own_user()
            except OSError as error:
                os.write(theirs, str(error).encode())
            finally:
                os._exit(0)
        os.close(theirs)
        with open(ours, encoding="utf-8") as answer:
            said = answer.read()
        os.waitpid(child, 0)
        if said:
            raise OSError(said)

    def _mount_proc(self) -> None:
        private_root.mount_proc()
        self.proc = True

    def _become_nobody(self) -> None:
        os.setgroups([])
        os.setresgid(self.user, self.user, self.user)
        os.setresuid(self.user, self.user, self.user)

    def _become_own_user(self) -> None:
        uid, gid = os.getuid(), os.getgid()
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # else /proc/self/uid_map belongs to root
        linux.unshare(EVERYTHING)
        linux.map_ids(uid, gid, STUDENT_ID)

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
        # A service that listens on a file of this machine (Docker, D-Bus) would start anything for whoever calls it.
        self._try("seccomp", lambda: self._compile_filter(connecting=False))
        if os.getuid() == 0 and "limits" not in self.missing:
            self._try("capabilities", self._become_nobody_with_scratch)
        if not os.access(os.__file__, os.R_OK):
            raise SystemExit(
                f"Without namespaces ({self.missing['namespaces']}) students' code runs as user {os.getuid()} of this "
                f"machine, who may not read Python in {os.path.dirname(os.__file__)}. Install it where everybody may."
            )

    def _become_nobody_with_scratch(self) -> None:
        os.chown(self.fallback_scratch, self.user, self.user)
        self._become_nobody()

    def fork(self) -> int:
        """Fork a process for one submission; with namespaces it is the first one of a pid namespace of its own."""
        if self.own_pid_namespace < 0:
            return self._fork()
        # Only the next child would enter the new namespace, and that one would die with it: go back home each time.
        linux.setns(self.own_pid_namespace, linux.NEWPID)
        linux.unshare(linux.NEWPID)
        pid = self._fork()
        if pid:
            linux.setns(self.own_pid_namespace, linux.NEWPID)
        return pid

    def _fork(self) -> int:
        if "private root" not in self.missing:
            return os.fork()
        self.forks += 1
        folder = f"{self.fallback_scratch}/{self.forks}"
        pid = keeper.fork(folder)
        if pid == 0:
            self.fallback_scratch = folder
        return pid

    def enter_places(self, scratch_mb: int) -> None:
        """Stage two, in a submission's process: places of its own."""
        if "namespaces" in self.missing:
            return
        linux.die_with_parent(signal.SIGKILL)
        linux.unshare(linux.ALL_BUT_PID)
        if "private root" not in self.missing:
            self._try("private places", lambda: private_root.mount_private_places(scratch_mb, self.proc))
        uid, gid = os.getuid(), os.getgid()
        linux.unshare(linux.NEWUSER)  # the limit on processes counts this one's, and none of another submission's
        linux.map_ids(uid, gid, STUDENT_ID)

    def lock(self, limits: dict[str, float]) -> None:
        """Stage two, the end: limits and filters, after which nothing can be opened up again."""
        others = _threads_of(os.getuid()) if "namespaces" in self.missing else 0
        self._try("limits", lambda: _limit(limits, others))
        self._try("capabilities", _give_up_privileges)
        readable = [*self.shown, *FILES, *(f"/dev/{name}" for name in DEVICES)]
        self._try("landlock", lambda: landlock.restrict(readable, [self.scratch, "/dev/shm", "/dev/null"]))
        if "seccomp" not in self.missing:
            self._try("seccomp", lambda: seccomp.install(self.filter))


def _give_up_privileges() -> None:
    linux.drop_capabilities()
    linux.no_new_privileges()


def _limit(limits: dict[str, float], others: int) -> None:
    seconds = int(limits["notebook_seconds"]) + 5
    bounds = {
        resource.RLIMIT_CORE: 0,  # a core dump would hold what is in memory, and fill the disk
        resource.RLIMIT_AS: _address_space() + (int(limits["memory_mb"]) << 20),
        resource.RLIMIT_FSIZE: int(limits["file_mb"]) << 20,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_NPROC: others + int(limits["processes"]),
        resource.RLIMIT_MEMLOCK: 1 << 20,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_CPU: seconds,
    }
    for kind, bound in bounds.items():
        hard = resource.getrlimit(kind)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)  # nobody may raise what holds already
        resource.setrlimit(kind, (bound, bound))
    # Should the machine run out of memory nevertheless, the kernel is to choose this process, not the one that grades.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _threads_of(user: int) -> int:
    """How many processes and threads a user has: without namespaces the limit counts all of them."""
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == user:
                count += len(os.listdir(f"/proc/{pid}/task"))
    return count


def _address_space() -> int:
    """Bytes that this process has mapped already: torch's libraries are no memory of the student's."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
