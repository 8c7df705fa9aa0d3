"""Tries: a million files. Must: stop at the limit."""

KIND = "Floods and bombs"
SETUP = """{{ATTEMPTS}}
def many():
    for i in range(1_000_000):
        open(f"f{i}", "w").close()
attempt("files", many)
"""
SHOWS = "files: refused"
