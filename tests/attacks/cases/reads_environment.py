"""Tries: reads os.environ, the platform and its own folder (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = """
import os, platform, sys, tempfile
from pathlib import Path
home = os.environ["HOME"], os.path.expanduser("~"), Path.home(), os.getlogin if False else os.environ.get("USER")
print(platform.platform(), sys.version, os.cpu_count(), os.getcwd(), len(os.environ["PATH"]) > 0)
Path("notes.txt").write_text("mine")
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "x").write_text("y")
print("written:", Path("notes.txt").read_text())
"""
SHOWS = "written: mine"
