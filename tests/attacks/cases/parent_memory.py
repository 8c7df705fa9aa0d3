"""Tries: the memory, files and root of the process that started it and of the grader. Must: see none of them."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
for pid in ({{PID}}, os.getppid()):
    for name in ("mem", "maps", "environ", "root", "cwd", "fd/0", "exe"):
        attempt(f"{pid} {name}", lambda: open(f"/proc/{pid}/{name}", "rb").read(100))
    attempt("trace", lambda: checked(libc.ptrace(16, pid, 0, 0)))
    attempt("signal", lambda: checked(libc.kill(pid, 0)) if pid else checked(-1))
    attempt("pidfd", lambda: os.pidfd_open(pid) if pid else checked(-1))
print("parent", os.getppid(), "self", os.getpid())
"""
SHOWS = "mem: refused.*trace: refused.*pidfd: refused.*parent 0 self 1"
