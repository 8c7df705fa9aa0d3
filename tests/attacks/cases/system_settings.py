"""Tries: /proc/sys, sysrq, out-of-memory scores, limits, and the grader's terminal. Must: change nothing."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import fcntl, os, resource
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/dev/kmsg",
             "/proc/sys/vm/drop_caches", "/proc/{{PID}}/oom_score_adj", "/sys/kernel/mm/x", "/sys/fs/cgroup/x",
             "/proc/self/uid_map", "/proc/1/setgroups", "/proc/self/ns/user", "/dev/tty", "/dev/mem", "/dev/sda"):
    attempt(path, lambda: open(path, "w").write("1"))
for name in ("NPROC", "AS", "FSIZE", "NOFILE", "CPU"):
    kind = getattr(resource, f"RLIMIT_{name}")
    attempt(f"limit {kind}", lambda: resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
attempt("nice", lambda: os.nice(-10))
attempt("priority", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
attempt("type", lambda: fcntl.ioctl(0, 0x5412, b"x"), lambda: fcntl.ioctl(os.open("/dev/tty", 0), 0x5412, b"x"))
"""
SHOWS = "core_pattern: refused.*limit 6: refused.*nice: refused.*type: refused"
