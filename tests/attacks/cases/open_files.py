"""Tries: opens files, sockets, pipes and event handles until none is left. Must: meet its own limit only."""

KIND = "Floods and bombs"
SETUP = """{{ATTEMPTS}}
import os, select, socket
kept = []
def use_up(make):
    while True:
        kept.append(make())
attempt("files", lambda: use_up(lambda: open("/dev/null")))
print("open:", len(kept) < 1000)
kept.clear()
attempt("sockets", lambda: use_up(socket.socketpair))
kept.clear()
attempt("polls", lambda: use_up(select.epoll))
kept.clear()
"""
SHOWS = "files: refused.*open: True.*polls: refused"
