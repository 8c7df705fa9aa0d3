"""Tries: TCP, UDP, DNS, raw and netlink sockets, to this machine and to others. Must: reach nobody."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import socket, urllib.request
def tcp(address): return socket.create_connection((address, {{PORT}}), 2)
def udp(address):
    sock = socket.socket(type=socket.SOCK_DGRAM)
    return sock.sendto(b"x", (address, {{PORT}}))
for address in ("127.0.0.1", "::1", "localhost", "10.0.0.1", "93.184.215.14"):
    attempt(f"tcp {address}", lambda: tcp(address))
    attempt(f"udp {address}", lambda: udp(address))
attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
attempt("http", lambda: urllib.request.urlopen("http://127.0.0.1:{{PORT}}", timeout=2))
for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_NETLINK, 3),
                     (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_VSOCK, socket.SOCK_STREAM), (38, 5), (40, 1)):
    attempt(f"family {family}", lambda: socket.socket(family, kind))
print("all tried")
"""
SHOWS = "tcp 127.0.0.1: refused.*udp 127.0.0.1: refused.*dns: refused.*all tried"
