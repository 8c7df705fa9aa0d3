"""Tries: kills every process it may, its parents, the grader and its own group. Must: reach nobody else."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import os, signal
for pid in ({{PID}}, {{PID}} + 1, {{PID}} - 1, 2, 3, 4, 5, 10, 100):
    attempt(f"kill {pid}", lambda: os.kill(pid, signal.SIGKILL))
for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
    try:
        os.kill(-1, number)  # this may be allowed: it means every other process of its own namespace
    except OSError as error:
        print("all:", error)
print("still here")
"""
SHOWS = "kill [0-9]+: refused.*still here"
