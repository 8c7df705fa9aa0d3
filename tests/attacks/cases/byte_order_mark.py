"""Tries: a solved notebook with a byte order mark and Windows line ends. Must: keep its points."""

KIND = "Honest but odd"
HONEST = True


def raw(content):
    return b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")
