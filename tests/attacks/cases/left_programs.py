"""Tries: programs started by the shell, nohup, setsid and multiprocessing that outlive it. Must: be gone at the end."""

KIND = "Floods and bombs"
SETUP = """
import subprocess, sys
for command in ("sleep 1000 &", "nohup sleep 1000 >/dev/null 2>&1 &", "setsid sleep 1000 >/dev/null 2>&1 &",
                "(trap '' HUP INT TERM; sleep 1000) >/dev/null 2>&1 &"):
    subprocess.Popen(command, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", "while True: pass"])
print("started")
"""
SHOWS = "started"
