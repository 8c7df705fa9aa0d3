"""Put a graded submission into autograded/, where formgrader and generate_feedback look for it.

A folder is first made under another name, then the gradebook is written, then the folder takes its place. The row in
the gradebook names the staged folder that belongs to it, so whoever comes after a kill knows whether to finish or to
throw away what is lying about. A folder that is there is always whole.
"""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import shutil
from pathlib import Path

from nbgrader.converters import Autograde
from nbgrader.utils import find_all_files

STAGED, OLD = ".new-", ".old-"


def new_stage() -> str:
    """A name for a staged folder that nobody else uses."""
    return secrets.token_hex(16)


def file_digest(path: Path) -> str:
    """SHA-256 of a file; empty if it is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def given_files(converter: Autograde, assignment: str) -> dict[str, bytes]:
    """The instructor's files of an assignment: they take the place of a student's of the same name."""
    coursedir = converter.coursedir
    source = coursedir.format_path(coursedir.source_directory, ".", assignment)
    kept = {os.path.join(source, name) for name in converter.exclude_overwriting.get(assignment, [])}
    paths = set(find_all_files(source, [*coursedir.ignore, "*.ipynb"])) - kept
    return {os.path.relpath(path, source): Path(path).read_bytes() for path in sorted(paths)}


class Publisher:
    """The autograded folders of one assignment; `converter` is nbgrader's own, for its folders and permissions."""

    def __init__(self, converter: Autograde, assignment: str):
        self.converter, self.assignment = converter, assignment

    def folder(self, student: str) -> Path:
        """Where a student's graded submission lies."""
        coursedir = self.converter.coursedir
        return Path(os.path.normpath(coursedir.format_path(coursedir.autograded_directory, student, self.assignment)))

    def notebook(self, student: str) -> Path:
        """The autograded notebook."""
        return self.folder(student) / f"{self.assignment}.ipynb"

    def stage(self, student: str, stage: str, notebook: bytes, files: dict[str, bytes]) -> None:
        """Make the folder, whole, under a name of its own beside its place."""
        folder = self._beside(student, STAGED + stage)
        folder.mkdir(parents=True)
        mode = int(str(self.converter.permissions), 8)
        for name, data in {**files, f"{self.assignment}.ipynb": notebook}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(mode)
        if self.converter.coursedir.groupshared:
            for path in (folder.parent, folder, *(p for p in folder.rglob("*") if p.is_dir())):
                path.chmod((path.stat().st_mode | 0o2770) & 0o2777)  # as nbgrader's set_permissions has it

    def settle(self, student: str, stage: str | None) -> None:
        """Put the staged folder of this name in its place, throw any other away.

        Call it only under the submission's lock: nobody else is staging or settling then.
        """
        place = self.folder(student)
        for name in self._lying_about(student, STAGED):
            if stage is None or not name.endswith(stage):
                shutil.rmtree(place.with_name(name), ignore_errors=True)
                continue
            if place.exists():
                place.rename(self._beside(student, OLD + stage))
            place.with_name(name).rename(place)
        for name in self._lying_about(student, OLD):
            shutil.rmtree(place.with_name(name), ignore_errors=True)

    def unsettled(self, student: str) -> bool:
        """Whether an interrupted run left something."""
        return bool(self._lying_about(student, STAGED) or self._lying_about(student, OLD))

    def _lying_about(self, student: str, mark: str) -> list[str]:
        pattern = self._beside(student, mark)
        return [os.path.basename(path) for path in glob.glob(glob.escape(str(pattern)) + "*")]

    def _beside(self, student: str, mark: str) -> Path:
        # A name with a dot in front is seen by none of nbgrader's patterns.
        place = self.folder(student)
        return place.with_name(f".{place.name}{mark}")
