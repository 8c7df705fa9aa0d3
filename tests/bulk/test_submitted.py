"""A submitted folder is data of somebody we do not trust: no link followed, no pipe opened, no huge file read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from autograder.submitted import Bounds, NoNotebook, Submitted, read_submission, submissions

SECRET = b"another student's work"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A submission with a notebook, a file and a file in a folder; beside it, what nobody may read."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    made = tmp_path / "submitted" / "ada" / "ps1"
    (made / "data").mkdir(parents=True)
    (made / "ps1.ipynb").write_bytes(b"{}")
    (made / "helper.py").write_bytes(b"x = 1")
    (made / "data" / "points.csv").write_bytes(b"1,2")
    return made


def replaced(path: Path) -> Path:
    """The path of a file that is to be something else."""
    path.unlink(missing_ok=True)
    return path


def test_files_and_folders_are_read(folder: Path) -> None:
    """With names relative to the submission, and without what nbgrader ignores."""
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "ps1-checkpoint.ipynb").write_text("old")
    (folder / "other.ipynb").write_text("another notebook")
    assert read_submission(folder) == Submitted(b"{}", {"helper.py": b"x = 1", "data/points.csv": b"1,2"}, [])


def test_links_are_not_followed(folder: Path) -> None:
    """To a file, to a folder, to nowhere, out of the submission or within it."""
    secret = folder.parents[2] / "secret.txt"
    for name, target in {"a.txt": secret, "b": secret.parent, "c": "/nowhere", "d.py": "helper.py"}.items():
        (folder / name).symlink_to(target)
    read = read_submission(folder)
    assert sorted(read.files) == ["data/points.csv", "helper.py"]
    assert read.notes == [f"{name} is a link and was not read" for name in ("a.txt", "b", "c", "d.py")]


def test_a_notebook_that_is_a_link_counts_as_empty(folder: Path) -> None:
    """Whatever it points to."""
    replaced(folder / "ps1.ipynb").symlink_to(folder.parents[2] / "secret.txt")
    read = read_submission(folder)
    assert (read.content, read.notes) == (b"", ["the notebook ps1.ipynb is a link and was not read"])


def test_pipes_and_sockets_are_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a pipe would wait for ever."""
    os.mkfifo(folder / "pipe")
    os.mkfifo(replaced(folder / "ps1.ipynb"))
    monkeypatch.chdir(folder)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        read = read_submission(folder)
    assert read.content == b""
    assert read.notes == [
        "pipe is a pipe and was not read",
        "the notebook ps1.ipynb is a pipe and was not read",
        "socket is a socket and was not read",
    ]


def test_a_notebook_that_is_a_folder_is_missing(folder: Path) -> None:
    """It is told like any other missing notebook."""
    replaced(folder / "ps1.ipynb").mkdir()
    with pytest.raises(NoNotebook, match=r"no notebook ps1\.ipynb was handed in \(there is none\)"):
        read_submission(folder)


def test_large_files_are_not_read(folder: Path) -> None:
    """A sparse file claims any size; reading it would fill the memory."""
    for name in ("ps1.ipynb", "weights.bin"):
        with open(folder / name, "wb") as file:
            file.truncate(200 << 30)
    read = read_submission(folder)
    assert read.content == b""
    assert read.notes == [
        "the notebook ps1.ipynb is 204,800 MB large (at most 32 MB are read) and was not read",
        "weights.bin is 204,800 MB large (at most 16 MB are read) and was not read",
    ]


def test_no_more_than_the_bounds_together(folder: Path) -> None:
    """Many files, much in all, folders in folders."""
    for i in range(5):
        (folder / f"f{i}").write_bytes(bytes(400_000))
    few = read_submission(folder, bounds=Bounds(files=4))
    assert len(few.files) == 4
    assert few.notes == [
        f"{name} is one of too many files (at most 4 are read) and was not read" for name in ("f3", "f4", "helper.py")
    ]
    little = read_submission(folder, bounds=Bounds(all_mb=1))
    assert little.notes == [f"f{i} is beyond 1 MB in all and was not read" for i in (2, 3, 4)]
    deep = folder.joinpath(*"abcdefghijk")
    deep.mkdir(parents=True)
    assert read_submission(folder).notes == ["the folder a/b/c/d/e/f/g/h/i lies too deep and was not read"]


@pytest.mark.parametrize("name", [b"line\nbreak", b"\xff\xfe", b"\x1b[31mred", "bell\u202e".encode()])
def test_names_that_cannot_be_used_are_told_without_harm(folder: Path, name: bytes) -> None:
    """A note is printed on a terminal and stored as text."""
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(b"x")
    read = read_submission(folder)
    assert len(read.files) == 2
    (note,) = read.notes
    assert note.isprintable()
    assert note.encode()
    assert note.endswith("has a name that cannot be used and was not read")
    assert len(read.version) == 64


def test_a_missing_notebook_is_named_with_what_is_there(folder: Path) -> None:
    """The usual reason: it was renamed."""
    (folder / "ps1.ipynb").rename(folder / "ps1 (2).ipynb")
    with pytest.raises(NoNotebook, match=r"no notebook ps1\.ipynb was handed in \(there is ps1 \(2\)\.ipynb\)"):
        read_submission(folder)


def test_the_version_sees_every_change(folder: Path) -> None:
    """Content, files, names, and what could not be read."""
    seen = {read_submission(folder).version}
    assert read_submission(folder).version in seen
    changes = [
        lambda: (folder / "ps1.ipynb").write_bytes(b"{ }"),
        lambda: (folder / "helper.py").write_bytes(b"x = 2"),
        lambda: (folder / "helper.py").rename(folder / "helpers.py"),
        lambda: (folder / "helpers.py").unlink(),
        lambda: (folder / "link").symlink_to("/etc/passwd"),
        lambda: (folder / "timestamp.txt").write_text("2030-01-01 00:00:00 UTC"),
    ]
    for count, change in enumerate(changes, 2):
        change()
        seen.add(read_submission(folder).version)
        assert len(seen) == count


def test_two_submissions_do_not_look_alike() -> None:
    """The border between a name, a content and the next name counts."""
    one, two = Submitted(b"x", {"ab": b"c"}, []), Submitted(b"x", {"a": b"bc"}, [])
    assert one.version != two.version


def test_submissions_are_found_by_student(tmp_path: Path) -> None:
    """Folders only, hidden ones and other assignments left out, strange names taken as they are."""
    for path in ("ada/ps1", "b[e]n/ps1", ".hidden/ps1", "cleo/ps2"):
        (tmp_path / "submitted" / path).mkdir(parents=True)
    (tmp_path / "submitted" / "dan").mkdir()
    (tmp_path / "submitted" / "dan" / "ps1").write_text("a file")
    found = submissions(str(tmp_path / "submitted" / "*" / "ps1"))
    assert [student for student, _ in found] == ["ada", "b[e]n"]
    assert all(path.is_dir() for _, path in found)
