"""Tries: file names with newlines, escapes, bytes that are no text, dots and markup. Must: be graded, write nowhere."""

KIND = "Files in the submission"
SETUP = """
import os
print(len(os.listdir(".")), "names")
"""
SHOWS = r"\d names"


def files(folder):
    import os

    names = [
        b"new\nline.txt", b"\xff\xfe.txt", b"..\\up.txt", b"<script>alert(1)<", b"\x1b]0;title\x07", b"x" * 255, b"...",
        b" ", b"~", b"-rf", b"$(touch pwned)", b"%2e%2e%2fup", "\u202etxt.exe".encode(), b"timestamp.txt ",
    ]  # fmt: skip
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "w") as file:
            file.write("x")
