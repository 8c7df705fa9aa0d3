"""Tries: new namespaces by unshare, clone, clone3 and setns, in which it would be root. Must: get none."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
def cloned(flags):
    pid = checked(libc.syscall(56, flags | 17, 0, 0, 0, 0))
    if pid == 0:
        os._exit(0)
    return pid
for flag in (0x10000000, 0x20000000, 0x20000, 0x40000000, 0x8000000, 0x4000000, 0x2000000, 0x10000000 | 0x20000, 0x80):
    attempt(f"unshare {flag:#x}", lambda: checked(libc.unshare(flag)))
    attempt(f"clone {flag:#x}", lambda: cloned(flag)) if flag != 0x80 else None
arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
attempt("clone3", lambda: checked(libc.syscall(435, arguments, 88)))
for name in os.listdir("/proc/self/ns"):
    attempt(f"setns {name}", lambda: checked(libc.setns(os.open(f"/proc/self/ns/{name}", 0), 0)))
attempt("program", lambda: subprocess.run(["unshare", "-Ur", "id"], check=True, capture_output=True).stdout)
"""
SHOWS = "unshare 0x10000000: refused.*clone 0x10000000: refused.*clone3: refused.*setns user: refused.*program: refused"
