"""Tries: atexit handlers, finalizers and threads that act when the process ends. Must: end with it."""

KIND = "Floods and bombs"
SETUP = """
import atexit, os, signal, threading, time, weakref
def stay():
    while True:
        time.sleep(1)
atexit.register(stay)
weakref.finalize(stay, stay)
threading.Thread(target=stay).start()
threading._register_atexit(stay)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
    signal.signal(number, lambda *args: stay())
os.register_at_fork(before=stay)
print("registered")
"""
SHOWS = "registered"
