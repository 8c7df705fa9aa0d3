"""seccomp: system calls that no lesson needs and that attacks begin with are refused by the kernel.

A list of what is denied, not of what is allowed: torch, OpenBLAS and IPython use many calls, and a new version of
theirs must not fail honest students. The namespaces and Landlock do not depend on it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket

from autograder.untrusted import linux

DENIED = """
mount umount2 pivot_root chroot setns unshare move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise bpf perf_event_open userfaultfd
io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key kexec_load kexec_file_load
init_module finit_module delete_module reboot swapon swapoff acct quotactl syslog settimeofday clock_settime
clock_adjtime adjtimex personality name_to_handle_at open_by_handle_at lookup_dcookie vmsplice fanotify_init
landlock_create_ruleset iopl ioperm modify_ldt uselib nfsservctl vhangup sethostname setdomainname
memfd_create memfd_secret shmget shmat shmctl semget semop semctl msgget msgsnd msgrcv mq_open
"""  # the last line: memory that no limit of ours counts
NAMESPACES = (linux.NEWNS, linux.NEWCGROUP, linux.NEWUTS, linux.NEWIPC, linux.NEWUSER, linux.NEWPID, linux.NEWNET)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # typing into somebody's terminal
# What waits in a socket or a pipe is no process's memory: by default 208 KiB and 64 KiB, at most many MiB.
BUFFER_SIZES = (socket.SO_SNDBUF, socket.SO_RCVBUF, 32, 33)  # the last two: the same, beyond the system's limits
F_SETPIPE_SZ = 1031


def compiled(connecting: bool = True) -> bytes:
    """The filter as BPF instructions: made once, so that installing it takes one call. Raises OSError.

    `connecting`: whether a local socket may call another one by its name.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise OSError(f"libseccomp: {error}") from None

    def equal(place: int, value: int) -> seccomp.Arg:
        return seccomp.Arg(place, seccomp.MASKED_EQ, 0xFFFFFFFF, value)  # an int: half of its register may be anything

    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(errno.EPERM)
    for name in DENIED.split():
        with contextlib.suppress(OSError):  # not a call of this processor, or newer than this libseccomp
            rules.add_rule(refuse, name)
    for flag in NAMESPACES:
        rules.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    # Its flags lie in memory, where a filter cannot look: libc falls back on clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.NE, socket.AF_UNIX))
    if not connecting:
        rules.add_rule(refuse, "connect")
    for request in (TIOCSTI, TIOCLINUX):
        rules.add_rule(refuse, "ioctl", equal(1, request))
    for option in BUFFER_SIZES:  # nothing happens: a size is a wish, which the kernel bounds without a word as well
        rules.add_rule(seccomp.ERRNO(0), "setsockopt", equal(1, socket.SOL_SOCKET), equal(2, option))
    rules.add_rule(refuse, "fcntl", equal(1, F_SETPIPE_SZ))
    with open(os.memfd_create("filter"), "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def install(program: bytes) -> None:
    """Put this process and all that it starts under the filter, for good. Raises OSError."""
    buffer = ctypes.create_string_buffer(program, len(program))
    pointer = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    linux.syscall("seccomp", 1, 0, ctypes.byref(pointer))
