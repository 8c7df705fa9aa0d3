"""Tries: prints the environment, its own and that of every process it sees. Must: find no secret of the grader."""

KIND = "Secrets"
SETUP = """
import glob, os
print(dict(os.environ))
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    print(path, open(path, "rb").read())
print(len(glob.glob("/proc/[0-9]*")), "process", [k for k in os.environ if "NBGRADER" in k or "CANARY" in k])
"""
SHOWS = r"1 process \[\]"
