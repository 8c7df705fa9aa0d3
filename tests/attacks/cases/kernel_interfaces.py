"""Tries: bpf, perf, io_uring, userfaultfd, keyrings, ptrace, and calls of 32-bit programs. Must: be refused each."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    result = libc.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
buffer = ctypes.create_string_buffer(256)
for name, number, args in (
    ("bpf", 321, (0, buffer, 72)), ("perf", 298, (buffer, 0, -1, -1, 0)), ("io_uring", 425, (8, buffer)),
    ("userfaultfd", 323, (1,)), ("add_key", 248, (b"user", b"x", b"x", 1, -3)), ("keyctl", 250, (0, -3, 1)),
    ("ptrace", 101, (0, 0, 0, 0)), ("process_vm_readv", 310, (1, buffer, 1, buffer, 1, 0)),
    ("kexec", 246, (0, 0, 0, 0)),
    ("init_module", 175, (buffer, 1, b"")), ("reboot", 169, (0xFEE1DEAD, 672274793, 0, 0)), ("swapon", 167, (b"/x", 0)),
    ("open_by_handle", 304, (-100, buffer, 0)), ("name_to_handle", 303, (-100, b"/", buffer, buffer, 0)),
    ("settimeofday", 164, (buffer, 0)), ("sethostname", 170, (b"evil", 4)), ("syslog", 103, (3, buffer, 100)),
    ("memfd_secret", 447, (0,)), ("shmget", 29, (1, 1 << 20, 0o1600)),
    ("acct", 163, (b"/scratch/x",)), ("quotactl", 179, (0, b"/", 0, buffer)),
    ("mbind", 237, (buffer, 1, 99, buffer, 1, 0)),
):
    attempt(name, lambda: call(number, *args))
def x32():
    child = os.fork()
    if child == 0:
        call(0x40000000 + 39)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
attempt("x32", x32)
print("all tried")
"""
SHOWS = "bpf: refused.*io_uring: refused.*keyctl: refused.*all tried"
