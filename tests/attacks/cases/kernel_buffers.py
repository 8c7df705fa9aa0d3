"""Tries: fills the buffers of sockets and pipes in many processes, memory that no process owns. Must: be bounded."""

KIND = "Floods and bombs"
SETUP = """
import os, socket, time
def hold():
    kept = []
    try:
        while True:
            kept.append(socket.socketpair())
            for end in kept[-1]:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
                end.setblocking(False)
                try:
                    while True:
                        end.send(bytes(1 << 16))
                except BlockingIOError:
                    pass
    except OSError:
        pass
    return kept
kept = hold()
print(len(kept), "pairs in one process")
for _ in range(60):
    try:
        if os.fork() == 0:
            for pair in kept:
                pair[0].close(), pair[1].close()
            kept = hold()
            time.sleep(1000)
    except OSError:
        break
time.sleep(1)
print("full")
"""


def afterwards(ran):
    return [f"{ran.kernel_mb:,.0f} MB of the kernel's memory"] if ran.kernel_mb > 2000 else []
