"""Tries: a fork bomb. Must: stop at its own limit, leave no process, earn nothing."""

KIND = "Floods and bombs"
SETUP = """
import os, time
made = 0
try:
    while True:
        if os.fork() == 0:
            try:
                while True:
                    os.fork()
            except OSError:
                time.sleep(1000)
        made += 1
except OSError as error:
    print("stopped:", type(error).__name__, made < 100)
"""
SHOWS = "stopped: BlockingIOError True"
SECONDS = 30.0
