"""A root directory of its own: the Python stack, read-only, a few devices, and nothing else of this machine's disk."""

from __future__ import annotations

import os
from pathlib import Path

from autograder.untrusted import linux
from autograder.untrusted.linux import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
)

SCRATCH = "/scratch"  # the only place on disk where a student's code may write; not /tmp, where an environment may live
DEVICES = ("null", "zero", "full", "random", "urandom")
PASSWD = "student:x:1000:1000::/scratch:/bin/sh\nroot:x:0:0::/:/bin/sh\n"
GROUP = "student:x:1000:\nroot:x:0:\n"


def build(base: str, shown: list[str], covered: list[str]) -> None:
    """Build the root on a tmpfs mounted at `base`, and make it this process's root.

    `shown` are the paths that appear in it at the same place, read-only; each of `covered` that would appear through
    one of them is covered by an empty folder, unless it is itself in `shown`. Needs a mount namespace of its own.
    """
    linux.mount(None, "/", None, MS_REC | MS_PRIVATE)  # nothing of what follows reaches the machine
    os.makedirs(base, exist_ok=True)
    linux.mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=755")
    covers = [c for c in covered if any(_inside(c, s) for s in shown)]
    outer = [s for s in shown if not any(_inside(s, c) for c in covers)]
    for path in outer:
        _show(base, path)
    for path in covers:
        linux.mount("tmpfs", base + path, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for path in shown:
        if path not in outer:
            _show(base, path)
    _devices(base)
    _files(base)
    _mount_scratch(base, 64)
    # Mounted while the machine's own is still in sight: a kernel gives no new /proc to who cannot see a whole one.
    mount_proc(base)
    os.chdir(base)
    linux.pivot_root(".", ".")  # the new root lies over the old one, which is then let go of
    linux.unmount(".")
    os.chdir("/")
    linux.mount(None, "/", None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, "size=16m,mode=755")


def _inside(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _show(base: str, path: str) -> None:
    place = base + path
    if not os.path.exists(path) or (os.path.lexists(place) and not os.path.isdir(place)):
        return
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.islink(path):
        if not os.path.lexists(place):
            os.symlink(os.readlink(path), place)
        return
    if os.path.isdir(path):
        os.makedirs(place, exist_ok=True)
    else:
        Path(place).touch()
    linux.mount(path, place, None, MS_BIND | MS_REC)
    # A bind mount is made read-only in a second step, which has to keep what the original is locked to.
    linux.mount(None, place, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | _kept_flags(place))


def _kept_flags(place: str) -> int:
    flags = os.statvfs(place).f_flag
    known = ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV), (os.ST_NOEXEC, MS_NOEXEC))
    return sum(mount_flag for flag, mount_flag in known if flags & flag)


def _devices(base: str) -> None:
    os.makedirs(f"{base}/dev/shm", exist_ok=True)
    for name in DEVICES:
        Path(f"{base}/dev/{name}").touch()
        linux.mount(f"/dev/{name}", f"{base}/dev/{name}", None, MS_BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{base}/dev/{name}")


def _files(base: str) -> None:
    for folder in ("/proc", SCRATCH, "/etc"):
        os.makedirs(base + folder, exist_ok=True)
    if not os.path.lexists(base + "/tmp"):  # an environment may live in /tmp; then TMPDIR alone shows the way
        os.symlink(SCRATCH, base + "/tmp")
    Path(base + "/etc/passwd").write_text(PASSWD, encoding="ascii")
    Path(base + "/etc/group").write_text(GROUP, encoding="ascii")


def mount_private_places(size_mb: int, proc: bool) -> None:
    """In a mount namespace of one submission: an empty scratch and /dev/shm with a quota, and its own /proc."""
    linux.mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount_scratch("", size_mb)
    if proc:
        mount_proc()


def _mount_scratch(root: str, size_mb: int) -> None:
    for place in (SCRATCH, "/dev/shm"):
        options = f"size={size_mb}m,mode=1777,nr_inodes=20000"  # an inode takes memory too
        linux.mount("tmpfs", root + place, "tmpfs", MS_NOSUID | MS_NODEV, options)


def mount_proc(root: str = "") -> None:
    """A /proc that shows only the processes of this pid namespace."""
    linux.mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
