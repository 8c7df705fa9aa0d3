"""Read a submitted folder as what it is: files of somebody we do not trust.

A link may point at another student's work or at the gradebook, a FIFO may never end, a file may be larger than our
memory. So nothing but regular files below the folder is ever opened, and none beyond its limit.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nbgrader.utils import parse_utc

MIB = 1 << 20
IGNORED = (".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback")  # nbgrader's own default
MAX_DEPTH = 8
TIMESTAMP, NO_TIMESTAMP = "timestamp.txt", "not-timestamp.txt"  # nbgrader's own; one that holds no date
SET_ASIDE = "set-aside.txt"  # says which files `make_safe` moved elsewhere
MAX_NOTES = 20
MENDED = "and was removed before grading."
# O_NOFOLLOW refuses a link even if it took the file's place after we looked; O_NONBLOCK does the same for a FIFO.
OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
KINDS = {stat.S_ISLNK: "a link", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket",
         stat.S_ISCHR: "a device", stat.S_ISBLK: "a device"}  # fmt: skip


class NoNotebook(LookupError):
    """A submitted folder has no notebook of the right name; the message says what is there and what to do."""


@dataclass(frozen=True)
class Bounds:
    """What is read of one submission at most."""

    notebook_mb: float = 32
    file_mb: float = 16
    all_mb: float = 64
    files: int = 500


class Submitted(NamedTuple):
    """A submission as it was handed in. `notes` say what was not read, in words for the student."""

    content: bytes
    files: dict[str, bytes]
    notes: list[str]

    @property
    def version(self) -> str:
        """A digest of everything that was handed in: another version is graded anew."""
        digest = hashlib.sha256()
        parts = [self.content, *(x for name in sorted(self.files) for x in (_bytes(name), self.files[name]))]
        for part in [*parts, *map(_bytes, self.notes)]:
            digest.update(len(part).to_bytes(8, "big") + part)  # so that no two submissions look alike
        return digest.hexdigest()


@dataclass
class _Reader:
    bounds: Bounds
    ignored: tuple[str, ...]
    wanted: str
    content: bytes | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    notebooks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # files that are not read, and why
    bytes_left: int = 0

    def folder(self, fd: int, prefix: str, depth: int = 0) -> None:
        for name in sorted(os.listdir(fd)):
            if not any(fnmatch.fnmatch(name, pattern) for pattern in self.ignored):
                self._entry(fd, name, prefix + name, depth)

    def _entry(self, fd: int, name: str, path: str, depth: int) -> None:
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            if depth >= MAX_DEPTH:
                self.notes.append(f"the folder {_shown(path)} lies too deep and was not read")
                return
            with _opened(name, fd, os.O_DIRECTORY) as inner:
                self.folder(inner, path + "/", depth + 1)
        elif path == self.wanted:
            self.content = self._notebook(fd, name, info, path)
        elif name.endswith(".ipynb"):
            self.notebooks.append(path)
        elif reason := self._refusal(info, path):
            self.notes.append(f"{_shown(path)} {reason} and was not read")
            self.refused.append((path, self.notes[-1]))
        else:
            self.files[path] = data = _read(fd, name, info.st_size)
            self.bytes_left -= len(data)

    def _notebook(self, fd: int, name: str, info: os.stat_result, path: str) -> bytes:
        reason = _not_a_file(info) or _too_large(info, self.bounds.notebook_mb)
        if reason:
            self.notes.append(f"the notebook {_shown(path)} {reason} and was not read")
            return b""
        return _read(fd, name, info.st_size)

    def _refusal(self, info: os.stat_result, path: str) -> str:
        """Why a file is not read; empty if nothing speaks against it."""
        if reason := _not_a_file(info) or _too_large(info, self.bounds.file_mb):
            return reason
        if not path.isprintable() or _shown(path) != path:
            return "has a name that cannot be used"
        if len(self.files) >= self.bounds.files:
            return f"is one of too many files (at most {self.bounds.files} are read)"
        return "" if info.st_size <= self.bytes_left else f"is beyond {self.bounds.all_mb:g} MB in all"


class _opened:
    """An opened entry of a folder, by file descriptor."""

    def __init__(self, name: str, folder: int, flags: int = 0):
        self.fd = os.open(name, OPEN | flags, dir_fd=folder)

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *exception: object) -> None:
        os.close(self.fd)


def read_submission(
    folder: Path, notebook: str | None = None, ignored: Iterable[str] = IGNORED, bounds: Bounds = Bounds()
) -> Submitted:
    """Read `folder`, a submission of the assignment that it is named after.

    `notebook` is the notebook's name without `.ipynb`, by default the folder's. A notebook that cannot be read safely
    (a link, far too large) counts as empty, with a note. Raises NoNotebook if there is none of that name.
    """
    wanted = f"{notebook or Path(folder).name}.ipynb"
    reader = _read_folder(folder, wanted, ignored, bounds)
    _set_timestamp_aside(reader.files)
    if reader.content is None:
        there = f"there is {', '.join(map(_shown, reader.notebooks[:5]))}" if reader.notebooks else "there is none"
        raise NoNotebook(f"no notebook {wanted} was handed in ({there}); rename it, or ask the student for it")
    return Submitted(reader.content, reader.files, [*reader.notes, *_mended(reader.files)])


def _read_folder(folder: Path, wanted: str, ignored: Iterable[str], bounds: Bounds) -> _Reader:
    reader = _Reader(bounds, tuple(ignored), wanted, bytes_left=int(bounds.all_mb * MIB))
    # The folder itself is the instructor's: `submitted/` may well be a link to another disk.
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        reader.folder(fd, "")
    finally:
        os.close(fd)
    return reader


def submissions(pattern: str) -> list[tuple[str, Path]]:
    """Student and folder of every submission; `pattern` is a path with one `*` in the place of the student."""
    before, _, after = pattern.partition("*")
    found = glob.glob(f"{glob.escape(before)}*{glob.escape(after)}")
    return sorted((path[len(before) :].removesuffix(after), Path(path)) for path in found if os.path.isdir(path))


def _not_a_file(info: os.stat_result) -> str:
    kind = next((text for test, text in KINDS.items() if test(info.st_mode)), "no ordinary file")
    return "" if stat.S_ISREG(info.st_mode) else f"is {kind}"


def _too_large(info: os.stat_result, limit_mb: float) -> str:
    size = info.st_size / MIB
    return f"is {size:,.0f} MB large (at most {limit_mb:g} MB are read)" if size > limit_mb else ""


def _read(folder: int, name: str, size: int) -> bytes:
    """Read a regular file, no more than `size` bytes of it: it may be growing."""
    with _opened(name, folder) as fd:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{name} has just become something else")
        with os.fdopen(os.dup(fd), "rb") as file:
            return file.read(size)


def _shown(path: str) -> str:
    """A file's name as text that can be printed and stored, whatever bytes it is made of."""
    text = path.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def no_files(folder: Path) -> list[tuple[Path, str]]:
    """What below `folder` is neither a folder nor an ordinary file, each with what it is. Nothing is followed."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            info = os.lstat(os.path.join(parent, name))
            if not stat.S_ISDIR(info.st_mode) and (kind := _not_a_file(info)):
                found.append((Path(parent, name), kind))
    return found


def make_safe(notebooks: list[str], **_: object) -> None:
    """nbgrader's hook before autograding: it would copy what a link points to, wait at a pipe for ever, give up at a
    timestamp that is no date, and take minutes for thousands of files or gigabytes.

    What is too large or too many is moved, as it is, to a folder beside the submission's, `<assignment>.set-aside`.
    A text in the place of each says what was there; `_mended` finds it again. `steps.restore.SubmissionExporter`
    refuses a folder in which any is left, for nbgrader ignores a hook that fails.
    """
    for folder in {Path(n).parent for n in notebooks}:
        for path, kind in no_files(folder):
            target = f" to {_shown(os.readlink(path))}" if path.is_symlink() else ""
            path.unlink()
            if path.name == TIMESTAMP:
                path = path.with_name(NO_TIMESTAMP)
            path.write_text(f"{_shown(path.name)} {kind}{target} {MENDED}\n", encoding="utf-8")
        stamp = folder / TIMESTAMP
        if stamp.exists() and not _is_date(stamp.read_bytes()):
            stamp.rename(stamp.with_name(NO_TIMESTAMP))
        _set_aside(folder)


def _set_aside(folder: Path) -> None:
    bounds = Bounds(files=Bounds.files - 1)  # room for the file that says so
    refused = _read_folder(folder, f"{folder.name}.ipynb", IGNORED, bounds).refused
    for path, _ in refused:
        target = folder.with_name(f"{folder.name}.set-aside") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / path).rename(target)
    if refused:
        (folder / SET_ASIDE).write_text("\n".join(note for _, note in refused[:MAX_NOTES]), encoding="utf-8")


def _set_timestamp_aside(files: dict[str, bytes]) -> None:
    if TIMESTAMP in files and not _is_date(files[TIMESTAMP]):
        files[NO_TIMESTAMP] = files.pop(TIMESTAMP)


def _is_date(content: bytes) -> bool:
    try:
        text = content[:100].decode().strip()
        return not text or bool(parse_utc(text).timestamp())
    except (ValueError, OverflowError, TypeError):
        return False


def _mended(files: dict[str, bytes]) -> list[str]:
    """What `make_safe` had to do, in words for the student, from the texts that it left."""
    notes = [data.decode(errors="replace").strip() for data in files.values() if data.strip().endswith(MENDED.encode())]
    notes += files.get(SET_ASIDE, b"").decode(errors="replace").splitlines()
    if NO_TIMESTAMP in files:
        notes.append(f"{TIMESTAMP} held no date and was set aside, so nobody knows when this was handed in")
    return [note[:300].rstrip(".") for note in notes[:MAX_NOTES]]
