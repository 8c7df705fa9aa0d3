"""Tries: Unix sockets of this machine: an abstract one that listens, D-Bus, Docker, X11. Must: reach none."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import socket
for name in ("\\0{{SOCKET}}", "/run/docker.sock", "/var/run/docker.sock", "/tmp/.X11-unix/X0",
             "/run/dbus/system_bus_socket", "/run/systemd/private", "/tmp/.s.PGSQL.5432",
             "/var/run/postgresql/.s.PGSQL.5432"):
    attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect(name))
    attempt("send", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", name))
print("all tried")
"""
SHOWS = "connect: refused.*send: refused.*all tried"
