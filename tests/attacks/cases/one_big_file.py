"""Tries: a file of a gigabyte, and one of a terabyte with nothing in it. Must: stop at the limit."""

KIND = "Floods and bombs"
SETUP = """{{ATTEMPTS}}
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def big():
    with open("big", "wb") as file:
        for _ in range(1000):
            file.write(bytes(1 << 20))
def sparse():
    with open("sparse", "wb") as file:
        os.truncate(file.fileno(), 1 << 40)
attempt("big", big)
attempt("sparse", sparse)
os.unlink("big")
"""
SHOWS = "big: refused.*sparse: refused"
