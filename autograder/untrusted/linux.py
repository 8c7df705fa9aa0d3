"""The few Linux calls that Python has no name for, through ctypes. Every failure is an OSError that says which call."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
ALL_BUT_PID = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWNET
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
CAPABILITY_VERSION_3, CAP_SYS_ADMIN = 0x20080522, 21

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {"x86_64": {"pivot_root": 155, "capset": 126, "seccomp": 317},
            "aarch64": {"pivot_root": 41, "capset": 91, "seccomp": 277}}  # fmt: skip
_NUMBERS_EVERYWHERE = {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(name: str, *args: object) -> int:
    """A system call by name. Raises OSError."""
    number = _NUMBERS_EVERYWHERE.get(name) or _NUMBERS.get(platform.machine(), {}).get(name)
    if number is None:
        raise OSError(f"{name}: not known on {platform.machine()}")
    return _checked(_libc.syscall(ctypes.c_long(number), *args), name)


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` names for new ones."""
    _checked(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace that `fd` refers to."""
    _checked(_libc.setns(fd, kind), "setns")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """mount(2)."""
    texts = [None if t is None else t.encode() for t in (source, target, kind, options)]
    result = _libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    _checked(result, f"mount {target}")


def unmount(target: str) -> None:
    """Detach what is mounted at `target`."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and put the old one at `old`."""
    syscall("pivot_root", new.encode(), old.encode())


def prctl(option: int, *args: int) -> None:
    """prctl(2)."""
    filled = [ctypes.c_ulong(a) for a in (*args, 0, 0, 0, 0)[:4]]
    _checked(_libc.prctl(option, *filled), f"prctl({option})")


def may_administer() -> bool:
    """Whether this process has the capability that most of mount(2) and unshare(2) ask for."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return bool(effective >> CAP_SYS_ADMIN & 1)


def drop_capabilities() -> None:
    """Give up every capability for good, those of programs that are started later included."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # past the last one that this kernel knows
            break
    prctl(PR_CAP_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL
    header = struct.pack("<Ii", CAPABILITY_VERSION_3, 0)
    syscall("capset", ctypes.create_string_buffer(header, 8), ctypes.create_string_buffer(bytes(24), 24))


def no_new_privileges() -> None:
    """A set-user-id program gives nothing any more; Landlock and seccomp demand this first."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to this process when its parent ends."""
    prctl(PR_SET_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def map_ids(uid_outside: int, gid_outside: int, inside: int) -> None:
    """In a new user namespace: this process's user and group are `inside`, and there is no other one."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {uid_outside} 1"),
        ("gid_map", f"{inside} {gid_outside} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
