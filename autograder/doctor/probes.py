"""What `autograder doctor` tries from inside: each probe is a cell that a student could have written.

It prints a line for each thing that it tries, `refused: ...` or `OPEN: ...`. Where the trusted side can see for itself
what came of it, that decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograder.limits import Limits
from autograder.untrusted.jail import LAYERS

INHERITED, WATCHED = "nothing inherited", "watched from outside"
GROUPS = {
    **LAYERS,
    INHERITED: "no environment, descriptor or memory of the grading process",
    WATCHED: "time, memory and output are bounded by the trusted side, whatever the process does",
}
LIMITS = Limits(
    cell_seconds=10, case_seconds=1, notebook_seconds=30, memory_mb=256, processes=24, scratch_mb=16, file_mb=8,
    output_mb=1,
)  # fmt: skip

PRELUDE = '''
import ctypes, errno, os, platform, re, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
NUMBERS = {"bpf": (321, 280), "io_uring_setup": (425, 425), "keyctl": (250, 219), "perf_event_open": (298, 241),
           "userfaultfd": (323, 282), "process_vm_readv": (310, 270), "memfd_create": (319, 279), "ptrace": (101, 117)}

def tried(action, *args):
    """Whatever ends it is a refusal."""
    try:
        result = action(*args)
    except BaseException as error:
        print("refused:", type(error).__name__, error)
    else:
        print("OPEN:", str(result)[:200])

def called(function, *args):
    if function(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "succeeded"

def denied(name, *args):
    """Only EPERM comes of the filter; any other error says that the call was let through."""
    try:
        called(libc.syscall, NUMBERS[name][column], *args)
    except PermissionError:
        print("refused:", name)
    except OSError as error:
        print("OPEN:", name, "got as far as", error)
    else:
        print("OPEN:", name)

def written(path, megabytes):
    with open(path, "wb", buffering=0) as file:
        for _ in range(megabytes):
            if file.write(bytes(1 << 20)) < 1 << 20:
                raise OSError(errno.ENOSPC, "cut short")
    return f"{megabytes} MB written to {path}"
'''


@dataclass(frozen=True)
class Probe:
    """One thing to try.

    `dies`: what the trusted side must say when it ends the process. `judge`: the name of the method of the doctor's
    Scene that sees for itself; without one the cell's lines decide.
    """

    group: str
    name: str
    code: str
    dies: str = ""
    judge: str = "refused"
    limits: Limits = LIMITS


def _limits(**changes: Any) -> Limits:
    return Limits(**{**vars(LIMITS), **changes})


PROBES = [
    Probe("namespaces", "TCP to this machine", """
tried(socket.create_connection, ("127.0.0.1", PORT), 1)
""", judge="unheard"),
    Probe("namespaces", "TCP to another machine", "tried(socket.create_connection, ('192.0.2.1', 80), 1)"),
    Probe("namespaces", "UDP to this machine", """
tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", PORT)))
""", judge="unheard"),
    Probe("namespaces", "names of the internet", "tried(socket.getaddrinfo, 'example.org', 80)"),
    Probe("namespaces", "abstract socket of this machine", """
def call():
    caller = socket.socket(socket.AF_UNIX)
    caller.connect("\\0" + NAME)
tried(call)
""", judge="unheard"),
    Probe("namespaces", "list other processes", """
def command_line(process):
    try:
        return open(f"/proc/{process}/cmdline").read()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has ended meanwhile
def others():
    found = [command_line(p) for p in os.listdir("/proc") if p.isdigit()]
    if not any(MARK in line for line in found):
        raise LookupError("not among " + str(len(found)))
tried(others)
"""),
    Probe("namespaces", "signal another process", "tried(os.kill, BYSTANDER, signal.SIGKILL)", judge="bystander_alive"),
    Probe("namespaces", "leave a process behind", """
code = "import time; print('ready', flush=True); time.sleep(60)"
left = subprocess.Popen([sys.executable, "-c", code, LEFT], start_new_session=True, stdout=subprocess.PIPE)
left.stdout.readline()
print("left behind:", left.pid)
""", judge="nothing_left"),
    Probe("private root", "files of others", """
for path in CANARIES:
    tried(lambda: open(path).read() + f" from {path}")
""", judge="canaries_unread"),
    Probe("private root", "accounts of this machine", "tried(lambda: open('/etc/shadow').read())"),
    Probe("private root", "references, lessons' sources, solutions", """
for path in SECRET_FOLDERS:
    tried(os.listdir, path)
"""),
    Probe("private root", "write to /usr, the environment, course/", """
for folder in SHARED_FOLDERS:
    tried(lambda: open(f"{folder}/{MARK}", "w"))
""", judge="nothing_written"),
    Probe("private places", "another submission's files", """
tried(lambda: open(THEIRS).read())
""", judge="canaries_unread"),
    Probe("private places", "shared memory of this machine", """
tried(lambda: open("/dev/shm/" + MARK).read())
""", judge="canaries_unread"),
    Probe("private places", "more files than the quota", """
tried(lambda: [written(f"{os.environ['HOME']}/{i}", 7) for i in range(4)])
tried(lambda: [written(f"/dev/shm/{MARK}-{i}", 7) for i in range(4)])
"""),
    Probe("capabilities", "become root", "tried(os.setuid, 0)\ntried(os.setgid, 0)"),
    Probe("capabilities", "privileges of this process", """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
    print("refused:" if int(status[name], 16) == 0 else "OPEN:", name, status[name].strip())
print("refused:" if status["NoNewPrivs"].strip() == "1" else "OPEN:", "programs that change the user")
"""),
    Probe("landlock", "list the root folder, write to /proc", """
tried(os.listdir, "/")
tried(lambda: open("/proc/self/comm", "w").write("x"))
"""),
    Probe("seccomp", "mount", "tried(called, libc.mount, b'none', b'/dev/shm', b'tmpfs', 0, None)"),
    Probe("seccomp", "namespaces of its own", """
for flag in (0x10000000, 0x00020000, 0x40000000):
    tried(called, libc.unshare, flag)
"""),
    Probe("seccomp", "ptrace, reading other memory", """
denied("ptrace", 0, 0, 0, 0)
denied("process_vm_readv", 0, 0, 0, 0, 0, 0)
"""),
    Probe("seccomp", "bpf, io_uring, keyrings, perf, userfaultfd", """
for name in ("bpf", "io_uring_setup", "keyctl", "perf_event_open", "userfaultfd"):
    denied(name, 0, 0, 0, 0, 0)
"""),
    Probe("seccomp", "memory that nobody counts", """
denied("memfd_create", b"x", 0)
def wider():
    one, other = socket.socketpair()
    before = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * before)
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == before:
        raise OSError("a socket's buffer stays as it is")
tried(wider)
tried(__import__("fcntl").fcntl, os.pipe()[0], 1031, 1 << 20)
"""),
    Probe("seccomp", "sockets but local ones", """
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 38, 40):
    tried(socket.socket, family, socket.SOCK_DGRAM)
"""),
    Probe("limits", "more processes than allowed", """
def bomb():
    for i in range(100):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
    return "100 processes"
tried(bomb)
"""),
    Probe("limits", "one allocation beyond the memory limit", "tried(lambda: len(bytearray(300 << 20)))"),
    Probe("limits", "a file that is too large", "tried(written, 'large', 9)"),
    Probe("limits", "more open files than allowed", """
tried(lambda: len([os.open("/dev/null", 0) for _ in range(300)]))
"""),
    Probe(INHERITED, "the grader's environment", """
def variable(text):
    if ENVIRONMENT not in text:
        raise LookupError("it is not there")
tried(lambda: variable(str(dict(os.environ))))
tried(lambda: variable(open("/proc/self/environ").read()))
"""),
    Probe(INHERITED, "open files and sockets of others", """
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
places = [os.readlink(link) for link in links if os.path.lexists(link)]
sockets = [p for p in places if p.startswith("socket:")]
home = os.environ["HOME"]
strange = [p for p in places if p not in sockets and p != "/dev/null" and not p.startswith((home, "/proc/"))]
print("refused:" if not strange and len(sockets) == 1 else "OPEN:", strange, sockets)
"""),
    Probe(INHERITED, "the grader's memory", """
def search():
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            for at in range(start, end, 4 << 20) if rights.startswith("rw") else ():
                try:
                    memory.seek(at)
                    data = memory.read(min(end - at, (4 << 20) + 100))
                except (OSError, ValueError, OverflowError):
                    continue
                yield from (data[m.end():m.end() + 32].hex() for m in re.finditer(BEFORE_SECRET, data))
try:
    print("searched:", *search())
except OSError as error:
    print("refused:", error)
""", judge="secret_not_found"),
    Probe(WATCHED, "many processes, much memory together", """
for i in range(8):
    if os.fork() == 0:
        kept = bytearray(100 << 20)
        time.sleep(8)
        os._exit(0)
time.sleep(8)
""", dies="more than 256 MB"),
    Probe(WATCHED, "a loop that cannot be interrupted", """
signal.setitimer(signal.ITIMER_REAL, 0)
while True:
    pass
""", dies="could not be interrupted", limits=_limits(cell_seconds=0.5)),
    Probe(WATCHED, "a flood of output", """
for i in range(40):
    print("x" * (1 << 20))
""", judge="output_bounded"),
]  # fmt: skip
