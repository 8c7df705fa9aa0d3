"""Tries: writes into the course, site-packages, .pth files and /etc, for the next student. Must: change nothing."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import course, numpy, os, sys
from course.checks import runner
places = [runner.__file__, numpy.__file__, os.path.join(os.path.dirname(os.path.dirname(numpy.__file__)), "evil.pth"),
          "/etc/passwd", "/etc/ld.so.preload", sys.executable, "/usr/lib/x", "/proc/self/exe", "/dev/null/x", "/bin/sh"]
for path in places:
    attempt(f"write {os.path.basename(path)}", lambda: open(path, "a"), lambda: os.chmod(path, 0o777),
            lambda: os.rename(path, path + "2"), lambda: os.unlink(path), lambda: os.link(path, "mine"))
os.symlink(runner.__file__, "linked")
attempt("through a link", lambda: open("linked", "a"), lambda: os.truncate("linked", 0))
"""
SHOWS = "write runner.py: refused.*write passwd: refused.*through a link: refused"
