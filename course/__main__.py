"""`python -m course`: a student's commands.

start   put the lessons into a folder (default: my-course); what you changed is never overwritten
lab     the same, then open JupyterLab on the start page and print its address
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from course.handout import START, hand_out, lessons_folder


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["start", "lab"])
    parser.add_argument("--folder", type=Path, default=Path("my-course"), help="where the lessons go")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=int, default=8888, help="JupyterLab's port; the next free one is taken")
    options = parser.parse_args(arguments)
    if not any(lessons_folder().glob("*/*.ipynb")):
        print(f"error: no lessons in {lessons_folder()}. Run `make build`, or reinstall the course.", file=sys.stderr)
        return 1
    for line in hand_out(options.folder):
        print(line)
    if options.command == "lab":
        _open_lab(options.folder, options.no_browser, options.port)
    return 0


def _open_lab(folder: Path, no_browser: bool, port: int) -> None:
    """Become JupyterLab, which prints its address. Never returns."""
    command = [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}", f"--ServerApp.port={port}",
        f"--LabApp.default_url=/lab/tree/{START}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    command += ["--no-browser"] if no_browser else []
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    sys.stdout.flush()
    os.execv(sys.executable, command)


if __name__ == "__main__":
    sys.exit(main())
