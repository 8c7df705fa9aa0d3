"""Tries: a daemon of its own session, its parents gone, that ignores every signal. Must: be gone when grading ends."""

KIND = "Floods and bombs"
SETUP = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in set(range(1, 65)) - {9, 19, 32, 33}:
            signal.signal(number, signal.SIG_IGN)
        for fd in range(3):
            os.close(fd)
        while True:
            time.sleep(0.01)
    os._exit(0)
print("the daemon is on its way")
"""
SHOWS = "on its way"
