"""Landlock: which files this process may touch, decided by the kernel a second time, whatever is mounted.

See https://docs.kernel.org/userspace-api/landlock.html. Each version of the interface adds rights; what this kernel
knows is used.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from autograder.untrusted import linux

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
TCP, SCOPES = 3, 3  # bind and connect; abstract Unix sockets and signals
VERSION_FLAG, RULE_PATH_BENEATH = 1, 1


def version() -> int:
    """The interface's version on this kernel. Raises OSError where there is none."""
    return linux.syscall("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Allow reading and running below `readable`, everything below `writable`, and nothing else. Raises OSError."""
    have = version()
    rights = FIRST_RIGHTS | (REFER if have >= 2 else 0) | (TRUNCATE if have >= 3 else 0)
    rights |= IOCTL_DEV if have >= 5 else 0
    attributes = struct.pack("<QQQ", rights, TCP if have >= 4 else 0, SCOPES if have >= 6 else 0)
    size = 24 if have >= 6 else 16 if have >= 4 else 8
    ruleset = linux.syscall(
        "landlock_create_ruleset",
        ctypes.create_string_buffer(attributes, 24),
        ctypes.c_size_t(size),
        ctypes.c_uint32(0),
    )
    for path in readable:
        _allow(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
    for path in writable:
        _allow(ruleset, path, rights)
    linux.syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights if stat.S_ISDIR(os.fstat(fd).st_mode) else rights & OF_A_FILE
        rule = ctypes.create_string_buffer(struct.pack("<Qi", allowed, fd), 12)
        linux.syscall("landlock_add_rule", ruleset, RULE_PATH_BENEATH, rule, 0)
        os.close(fd)
