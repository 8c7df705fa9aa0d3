"""Tries: looks for the zygote's control socket and orders processes on all sockets it has. Must: find only its own."""

from tests.attacks.cases import reach_channel

KIND = "Ways out"
SETUP = (
    reach_channel
    + """
import socket
own = channel.fileno()
sockets_found = [fd for fd in range(1024) if is_socket(fd)]
for fd in sockets_found:
    if fd != own:
        socket.send_fds(socket.socket(fileno=os.dup(fd)), [b"F"], [0])
abstract = open("/proc/net/unix").read().count("@") if os.path.exists("/proc/net/unix") else 0
print(len(sockets_found), "socket,", abstract)
"""
)
SHOWS = "1 socket, 0"
