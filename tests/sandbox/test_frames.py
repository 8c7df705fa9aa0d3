"""Whatever a student's process sends, the trusted side gets a plain answer or one of four errors, in time."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.student import MAX_REPLY, OutOfMemory, Process
from autograder.untrusted import channel
from autograder.untrusted.channel import HEAD, ChannelError, OutOfTime
from course.checks.wire import WireError, decode, encode

EXPECTED = (ChannelError, OutOfTime, OutOfMemory, WireError)
Hostile = Callable[[socket.socket], None]


class Watch:
    """In the place of a Memory: too much is found at the given look."""

    pid = -1

    def __init__(self, at: float = float("inf")):
        self.at, self.looks = at, 0

    def too_much(self) -> bool:
        self.looks += 1
        return self.looks >= self.at


@contextlib.contextmanager
def facing(hostile: Hostile, watch: Watch | None = None) -> Iterator[Process]:
    """A process handle whose other end is played by `hostile`, in a thread."""
    ours, theirs = socket.socketpair()

    def play() -> None:
        with contextlib.suppress(OSError, ChannelError):
            hostile(theirs)

    thread = threading.Thread(target=play, daemon=True)
    process = Process(ours, -1, watch or Watch())
    thread.start()
    try:
        yield process
    finally:
        process.close()
        theirs.close()
        thread.join(5)
        assert not thread.is_alive()


def read_question(sock: socket.socket) -> int:
    """The question's number."""
    return channel.receive(sock, 1 << 30)[1]


def answering(value: Any) -> Hostile:
    """Somebody who plays by the rules."""
    return lambda sock: channel.send(sock, value, read_question(sock))


def sending(data: bytes) -> Hostile:
    """These bytes, and nothing more."""

    def play(sock: socket.socket) -> None:
        read_question(sock)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    return play


def forging(number_of: Callable[[int], int]) -> Hostile:
    """A well-formed answer under another number."""
    return lambda sock: channel.send(sock, {"outcomes": []}, number_of(read_question(sock)))


def sent_before(sock: socket.socket) -> None:
    """Answers that were there before the question was."""
    for number in range(50):
        channel.send(sock, {"outcomes": []}, number)
    read_question(sock)


def dripping(sock: socket.socket) -> None:
    """A frame that never ends, a byte at a time."""
    sock.sendall(HEAD.pack(1 << 20, read_question(sock)))
    while True:
        sock.sendall(b" ")
        time.sleep(0.01)


def endless(sock: socket.socket) -> None:
    """As large a frame as is taken, and more behind it."""
    sock.sendall(HEAD.pack(MAX_REPLY, read_question(sock)))
    while True:
        sock.sendall(bytes(1 << 20))


def silent(sock: socket.socket) -> None:
    """Nothing, until the other side has had enough."""
    read_question(sock)
    sock.recv(1)


def too_large(sock: socket.socket) -> None:
    """A true answer of 65 MB."""
    channel.send(sock, {"outcomes": [np.zeros(65 << 20, np.uint8)]}, read_question(sock))


GARBAGE = b"\x80\x04\x95" + os.urandom(200)  # as a pickle begins
HOSTILE = {
    "garbage": (sending(GARBAGE), (WireError, ChannelError)),
    "huge header": (sending(HEAD.pack((1 << 64) - 1, 0)), WireError),
    "cut short": (sending(HEAD.pack(1000, 1) + b"{"), ChannelError),
    "half a head": (sending(b"\0" * 7), ChannelError),
    "no frame": (sending(HEAD.pack(0, 0)), WireError),
    "closed at once": (lambda sock: sock.close(), ChannelError),
    "closed after the question": (sending(b""), ChannelError),
    "wrong number": (forging(lambda n: n ^ 1), WireError),
    "number 0": (forging(lambda n: 0), WireError),
    "sent before": (sent_before, WireError),
    "a list": (answering([1, 2]), WireError),
    "nothing": (answering(None), WireError),
    "65 MB": (too_large, WireError),
    "an endless frame": (endless, WireError),
    "a slow drip": (dripping, OutOfTime),
    "silence": (silent, OutOfTime),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_an_error_in_time(name: str) -> None:
    """And the right one."""
    hostile, expected = HOSTILE[name]
    started = time.monotonic()
    with facing(hostile) as process, pytest.raises(expected):
        process.exchange({"op": "cell"}, 0.4 if expected is OutOfTime else 20)
    if expected is OutOfTime:
        assert time.monotonic() - started < 3


def test_an_honest_answer_comes_through() -> None:
    """Arrays of some size too."""
    with facing(answering({"outcomes": [np.arange(1000), "text", 1.5]})) as process:
        answer = process.exchange({"op": "script"}, 20)
    np.testing.assert_array_equal(answer["outcomes"][0], np.arange(1000))
    assert answer["outcomes"][1:] == ["text", 1.5]


def test_who_does_not_listen_is_given_up() -> None:
    """A question that nobody takes from the socket must not wait for ever."""
    with facing(lambda sock: time.sleep(1.5)) as process, pytest.raises(OutOfTime):
        process.exchange({"data": np.zeros(32 << 20, np.uint8)}, 0.5)


@pytest.mark.parametrize("hostile", [dripping, silent])
def test_memory_is_watched_whatever_arrives(hostile: Hostile) -> None:
    """Also while there is always a byte to be read."""
    watch = Watch(at=3)
    with facing(hostile, watch) as process, pytest.raises(OutOfMemory):
        process.exchange({"op": "cell"}, 20)
    assert watch.looks == 3


def test_a_large_claim_costs_no_memory() -> None:
    """The length is judged before anything is kept."""
    tracemalloc.start()
    with facing(sending(HEAD.pack(MAX_REPLY + 1, 0))) as process, pytest.raises(WireError):
        process.exchange({"op": "cell"}, 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_descriptors_beyond_a_thousand_are_no_trouble() -> None:
    """select(2) would take none of them."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1300:
        pytest.skip("this account may not have so many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with facing(answering({"fine": True})) as process:
            assert process.sock.fileno() > 1023
            assert process.exchange({}, 20) == {"fine": True}
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=4), st.integers(0, (1 << 64) - 1))
def test_frames_come_through_as_they_were_sent(value: dict[str, Any], number: int) -> None:
    """Value and number."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel.send(ours, value, number, 5)
        assert channel.receive(theirs, 1 << 20) == (value, number)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_an_answer_or_an_error(data: bytes, framed: bool) -> None:
    """Nothing else comes out, whether the head is right or not."""

    def play(sock: socket.socket) -> None:
        number = read_question(sock)
        sock.sendall((HEAD.pack(len(data), number) if framed else b"") + data)
        sock.shutdown(socket.SHUT_WR)

    with facing(play) as process, contextlib.suppress(*EXPECTED):
        assert isinstance(process.exchange({}, 20), dict)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_frame_decodes_or_is_refused(data: st.DataObject) -> None:
    """Every byte of a real frame may be another one, and any part of it may be missing."""
    frame = bytearray(encode({"outcomes": [np.arange(6.0).reshape(2, 3), "text", [1, (2, 3)], {"a": None}]}))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    frame = frame[: data.draw(st.integers(0, len(frame)))] if data.draw(st.booleans()) else frame
    with contextlib.suppress(WireError):
        decode(bytes(frame))


@pytest.mark.parametrize("tree", ["[" * 100_000, '{"t":"list","v":[' * 5_000, "[" + "{}," * 300_000 + "{}]"])
def test_a_header_that_unfolds_is_refused(tree: str) -> None:
    """Depth and number are bounded; Python's own recursion is never reached."""
    header = f'{{"tree":{tree},"arrays":[]}}'.encode()
    with pytest.raises(WireError):
        decode(struct.pack("<I", len(header)) + header)
