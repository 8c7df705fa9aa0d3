"""Tries: becomes root by setuid, capabilities, set-user-id programs. Must: stay nobody."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
attempt("setuid", lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.seteuid(0), lambda: os.setgid(0))
attempt("groups", lambda: os.setgroups([0]), lambda: os.initgroups("root", 0))
header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
attempt("capset", lambda: checked(libc.capset(header, data)))
attempt("chown", lambda: os.chown("/usr/bin/env", os.getuid(), -1))
for program in ("su", "sudo", "mount", "newuidmap", "pkexec", "passwd", "ping"):
    command = f"command -v {program} && echo | timeout 2 {program} -c id root"
    done = subprocess.run(command, shell=True, capture_output=True)
    print(program, done.returncode, b"uid=0" in done.stdout)
status = open("/proc/self/status").read()
wanted = ("CapEff", "CapBnd", "NoNewPrivs")
print("uid", os.getuid(), "caps", [line for line in status.splitlines() if line.startswith(wanted)])
"""
SHOWS = r"setuid: refused.*capset: refused.*uid 1000 caps \['CapEff:\\t0+', 'CapBnd:\\t0+', 'NoNewPrivs:\\t1'\]"


def afterwards(ran):
    return ["a program ran as root"] if "True" in str([c.get("outputs") for c in ran.graded.notebook.cells]) else []
