"""Tries: escapes that move the cursor, set titles and hide text, in outputs and errors. Must: be text."""

KIND = "Script in pages"
SETUP = """
import sys
tricks = "\\x1b[2J\\x1b[H\\x1b]0;title\\x07\\x1b]8;;javascript:alert(1)\\x07link\\x1b]8;;\\x07"
tricks += "\\x1b[8mhidden\\x1b[0m\\x9b31m\\r\\b"
tricks += "\\x1b[38;2;255;255;255;48;2;255;255;255mwhite\\x1b[0m\\x1b[38;5;99999999999m\\x1b[<script>m\\x1bP+q\\x1b\\\\"
print(tricks, "printed")
print(tricks, file=sys.stderr)
raise ValueError(tricks + "<script>alert(1)</script>")
"""
ANSWERS = {"ch02.project_qkv": "def project_qkv(*args): raise ValueError(tricks)"}
SAYS = "ValueError"
SHOWS = "printed"


def afterwards(ran):
    return ["an escape is left in the page"] if "\x1b" in ran.graded.feedback or "\x07" in ran.graded.feedback else []
