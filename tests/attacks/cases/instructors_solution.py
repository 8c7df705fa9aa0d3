"""Tries: runs the instructor's source, the solutions and the released lessons. Must: not find them."""

KIND = "Secrets"
SETUP = """{{ATTEMPTS}}
import glob, os, course
home = os.path.dirname(os.path.dirname(course.__file__))
for name in ("source/ch02_scaled_dot_product", "solutions/ch02_scaled_dot_product", "release", "autograder/exercises",
             "tests", "nbgrader_config.py", ".git", "autograder/grading.py", "docs"):
    attempt(name, lambda: os.listdir(os.path.join(home, name)), lambda: open(os.path.join(home, name)).read())
attempt("source", lambda: os.listdir("{{COURSE}}/build/source"))
attempt("environment", lambda: open("/etc/shadow").read(), lambda: os.listdir("/root"), lambda: os.listdir("/home"))
print("all tried")
"""
SHOWS = "solutions.*: refused.*exercises: refused.*all tried"
