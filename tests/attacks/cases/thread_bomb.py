"""Tries: ten thousand threads. Must: stop at its own limit, and earn nothing."""

KIND = "Floods and bombs"
SETUP = """
import threading, time
try:
    for _ in range(10_000):
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
except RuntimeError as error:
    print("stopped:", error, threading.active_count() < 100)
"""
SHOWS = "stopped: can't start new thread True"
