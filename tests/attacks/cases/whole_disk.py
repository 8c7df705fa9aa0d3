"""Tries: walks the whole disk for secrets, databases, keys and notebooks. Must: see the Python stack only."""

KIND = "Secrets"
SETUP = """
{{ATTEMPTS}}
import itertools, os, sys
found, read = [], 0
attempt("root", lambda: os.listdir("/"))
places = ["/etc", "/dev", "/home", "/root", "/srv", "/opt", "/var", "/run", "/tmp", "/mnt", "/media", "/boot",
          "/usr/local", "/usr/share", "/scratch", sys.prefix, sys.base_prefix, os.path.dirname("{{COURSE}}"),
          "/proc/self/cwd/../.."]
for folder, folders, names in itertools.chain(*map(os.walk, places)):
    if folder.count("/") > 6:
        folders.clear()
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith((".db", ".ipynb", ".pem", ".key", ".sqlite")) or "canary" in name or "instructor" in name:
            found.append(path)
        if name.endswith(".txt") and "site-packages" not in folder and os.path.isfile(path):
            try:
                read += b"CANARY-" in open(path, "rb").read(1000)
            except OSError:
                pass
ours = [p for p in found if "site-packages" not in p and "dist-packages" not in p and not p.startswith("/usr")]
print("found", ours, read)
"""
SHOWS = r"found \[\] 0"
SECONDS = 30.0
