"""Frames over a socket. Both sides use it; the trusted one with a deadline and a limit on what it accepts."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from course.checks import wire

HEAD = struct.Struct("<QQ")  # the frame's length, and the number of the question that it belongs to
CHUNK = 1 << 20


class ChannelError(Exception):
    """The other side closed the channel, or sent what is not a frame."""


class OutOfTime(Exception):
    """No whole frame came before the deadline."""


def send(sock: socket.socket, value: Any, number: int, seconds: float | None = None) -> None:
    """Send one frame. Raises WireError for a value that is too large, ChannelError or OutOfTime."""
    frame = wire.encode(value)
    sock.settimeout(seconds)
    try:
        sock.sendall(HEAD.pack(len(frame), number) + frame)
    except TimeoutError:
        raise OutOfTime from None
    except OSError as error:
        raise ChannelError(str(error)) from None


def receive(sock: socket.socket, most: int, wait: Callable[[], None] | None = None) -> tuple[Any, int]:
    """Return the next frame's value and its number; `wait` blocks until the socket can be read, or raises.

    Raises ChannelError, WireError, and whatever `wait` raises.
    """
    length, number = HEAD.unpack(_exactly(sock, HEAD.size, wait))
    if length > most:  # decided before a byte of it is kept
        raise wire.WireError(f"a frame of {length} bytes")
    return wire.decode(_exactly(sock, length, wait)), number


def _exactly(sock: socket.socket, count: int, wait: Callable[[], None] | None) -> bytes:
    parts, left = [], count
    while left:
        if wait:
            wait()
        try:
            part = sock.recv(min(left, CHUNK))
        except OSError as error:
            raise ChannelError(str(error)) from None
        if not part:
            raise ChannelError("closed")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def until(sock: socket.socket, deadline: float, meanwhile: Callable[[], None], every: float = 0.05) -> None:
    """Block until the socket can be read, calling `meanwhile` first and then now and then.

    First, because whoever sends a byte at a time always has something to be read. Raises OutOfTime, and what
    `meanwhile` raises.
    """
    poll = select.poll()  # select() takes no descriptor beyond 1023
    poll.register(sock, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        meanwhile()
        if poll.poll(1000 * min(left, every)):
            return
