"""Other machines than this one, made of this one: an ordinary user's, and ones whose kernel refuses some calls.

Nothing of the engine is patched: what it meets is a kernel that says no, as Docker's or Ubuntu's would.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.grading.classroom import ROOT

ORDINARY = 65534  # nobody
AS_ROOT = hasattr(os, "getuid") and os.getuid() == 0
NAMESPACES = ("unshare", "setns")
LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
FILTERS = ("seccomp",)
LIMITS = ("setrlimit", "prlimit64")
REFUSE = """
import errno, os, sys
import pyseccomp as seccomp
rules = seccomp.SyscallFilter(seccomp.ALLOW)
for name in filter(None, sys.argv[1].split(",")):
    rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
"""
# An environment may lie below a folder that only its owner may enter, such as /root. In a mount namespace of its own it
# is put aside, the closed folder is covered, and it is put back at the same place.
OPENED = """
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -m 1777 /mnt/home
{aside}
{covered}
{back}
cd {root}
exec "$@"
"""


@dataclass(frozen=True)
class Machine:
    """A machine with an ordinary user, or whose kernel refuses the calls `denied`, or where `first` starts Python."""

    ordinary: bool = False
    denied: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    def run(self, *command: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments there; what it prints is text."""
        return subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=seconds, env=environment(), cwd="/"
        )

    def command(self, *command: str) -> list[str]:
        """The whole command, for who wants to start it himself."""
        whole = [*self.first, sys.executable, *command]
        if self.denied:
            whole = [sys.executable, "-c", REFUSE, ",".join(self.denied), *whole]
        if not AS_ROOT:
            return ["/bin/sh", "-c", f'cd {shlex.quote(str(ROOT))}; exec "$@"', "sh", *whole]
        if self.ordinary:
            whole = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", *whole]
        for tool in ("unshare", "setpriv"):
            if not shutil.which(tool):
                pytest.skip(f"needs {tool} of util-linux")
        return ["unshare", "--mount", "/bin/sh", "-c", _script(), "sh", *whole]


def environment() -> dict[str, str]:
    """The variables there."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}", "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/mnt/home" if AS_ROOT else os.environ["HOME"], "LANG": "C.UTF-8",
    }  # fmt: skip


def _script() -> str:
    needed = [p for p in dict.fromkeys(map(os.path.realpath, (sys.base_prefix, sys.prefix, ROOT))) if _closed(p)]
    inner = [p for p in needed if not any(p != q and Path(p).is_relative_to(q) for q in needed)]
    covers = dict.fromkeys(_closed(p) for p in inner)
    quoted = [(shlex.quote(p), f"/mnt/{i}") for i, p in enumerate(inner)]
    return OPENED.format(
        aside="\n".join(f"mkdir {aside}; mount --bind {path} {aside}" for path, aside in quoted),
        covered="\n".join(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(c)}" for c in covers),
        back="\n".join(f"mkdir -p {path}; mount --bind {aside} {path}" for path, aside in quoted),
        root=shlex.quote(str(ROOT)),
    )


def _closed(path: str) -> str:
    """The outermost folder on the way to `path` that others may not enter; empty if they may enter all."""
    for folder in [*reversed(Path(path).parents), Path(path)]:
        if not folder.stat().st_mode & 0o001:
            return str(folder)
    return ""
