"""`autograder doctor`: which layers of the sandbox hold on this machine, each tried from inside."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from autograder.doctor.examination import as_data, examine
from autograder.doctor.page import show


def run(folder: Path, as_json: bool = False) -> int:
    """Examine this machine and print what was found. `folder` is the course's. Returns the exit status."""
    found = examine(folder)
    if as_json:
        print(json.dumps(as_data(found), indent=2))
    else:
        show(found, Console())
    return 0 if found.holds else 1
