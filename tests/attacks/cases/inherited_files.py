"""Tries: reads and writes every file descriptor that it was born with. Must: find its own output and channel only."""

KIND = "Secrets"
SETUP = """
import os, stat
for fd in range(3, 1024):
    try:
        kind = stat.filemode(os.fstat(fd).st_mode)[0]
    except OSError:
        continue
    print(fd, kind, os.readlink(f"/proc/self/fd/{fd}"))
    if kind == "-":
        print(os.pread(fd, 100, 0))
print(sum(os.path.exists(f"/proc/self/fd/{fd}") for fd in range(3, 1024)), "in all")
"""
SHOWS = "[234] in all"
