"""Tries: a loop that ignores signals, alarms and every exception. Must: earn nothing, in its time."""

KIND = "Endless and deadly code"
SETUP = """
import os, signal, sys
def deaf():
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in set(range(1, 65)) - {9, 19, 32, 33}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
"""
ANSWERS = {"ch02.project_qkv": "def project_qkv(*args): deaf()", "ch02.why_scale": "deaf()"}
SAYS = "took longer|could not be interrupted|not defined"
SECONDS = 30.0
