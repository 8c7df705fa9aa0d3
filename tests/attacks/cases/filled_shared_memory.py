"""Tries: fills /dev/shm, its scratch and shared mappings, which are memory too. Must: stop at their quotas."""

KIND = "Floods and bombs"
SETUP = """{{ATTEMPTS}}
import mmap, os
def fill(folder):
    for i in range(500):
        with open(f"{folder}/fill{i}", "wb") as file:
            file.write(bytes(15 << 20))
attempt("shared", lambda: fill("/dev/shm"))
attempt("scratch", lambda: fill("."))
attempt("memfd", lambda: os.memfd_create("x"))
def mapped():
    kept = []
    for _ in range(100):
        kept.append(mmap.mmap(-1, 100 << 20))
        kept[-1].write(bytes(100 << 20))
attempt("mapped", mapped)
"""
SHOWS = "shared: refused.*scratch: refused.*memfd: refused|used more than 1000 MB"
