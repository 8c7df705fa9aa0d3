"""First step of autograding: bring a submitted notebook back into the form that was handed out.

Nothing of a student's metadata is trusted. Every cell that the gradebook knows gets its metadata from there, locked
cells get their text back, a copied cell counts once, a deleted check cell comes back, and every other cell stays as
the student wrote it. Nothing the student wrote is dropped.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode, from_dict
from nbformat.v4.rwbase import rejoin_lines
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder import database
from autograder.notebooks import KERNEL
from autograder.submitted import no_files

MAX_NOTEBOOK_BYTES, MAX_CELLS = 32 << 20, 2_000
MAX_SOURCE, MAX_SOURCES = 200_000, 1_000_000  # characters of a cell, and of all: more makes a page that nobody can open
UNREADABLE = (
    "this file could not be read as a notebook ({}), so nothing in it could be graded; open it in JupyterLab, save it "
    "and submit it again"
)


class NotAFile(ValueError):
    """A submission holds a link, a pipe or a device."""


class SubmissionExporter(NotebookExporter):
    """nbconvert's notebook exporter, which takes whatever was handed in."""

    def from_filename(self, filename: str, resources: dict | None = None, **kwargs: Any):
        """Read and convert a notebook; one that cannot be read is as one without cells, and says so."""
        path = Path(filename)
        if left := no_files(path.parent):
            raise NotAFile(f"{left[0][0]} {left[0][1]}. Remove it, then grade again: nothing that it leads to is read.")
        read = read_notebook(_first_bytes(path) if path.is_file() else b"")  # a folder may be named like a notebook
        metadata = {**read.metadata, "problem": read.problem}
        notebook = from_dict(
            {"cells": [_shaped(c) for c in read.cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        )
        with contextlib.suppress(Exception):  # of what a student made, any shape; Restore takes it as it is
            rejoin_lines(notebook)
        resources = {**(resources or {}), "metadata": {"name": path.stem, "path": str(path.parent)}}
        return self.from_notebook_node(notebook, resources=resources, **kwargs)


def _first_bytes(path: Path) -> bytes:
    """A file's content, or enough of it to be refused."""
    with path.open("rb") as file:
        return file.read(MAX_NOTEBOOK_BYTES + 1)


def _shaped(cell: dict[str, Any]) -> dict[str, Any]:
    """Of a cell what grading looks at, in types that nbconvert can bear."""
    kind, identity, metadata = cell.get("cell_type"), cell.get("id"), cell.get("metadata")
    shaped = {"cell_type": kind if kind in ("code", "markdown") else "raw", "source": cell.get("source", "")}
    shaped["metadata"] = metadata if isinstance(metadata, dict) else {}
    shaped |= {"id": identity} if isinstance(identity, str) else {}
    return shaped | ({"outputs": [], "execution_count": None} if kind == "code" else {})


@dataclass(frozen=True)
class HandedIn:
    """What could be read of a submitted file. `problem` says why it is nothing, in words for the student."""

    cells: list[dict[str, Any]]
    metadata: dict[str, Any]
    problem: str = ""


def read_notebook(content: bytes) -> HandedIn:
    """Read a submitted file, which may hold anything."""
    try:
        if len(content) > MAX_NOTEBOOK_BYTES:
            raise ValueError(f"it is larger than {MAX_NOTEBOOK_BYTES >> 20} MiB")
        data = json.loads(content.decode("utf-8-sig"))
        if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
            raise ValueError("it does not say that it is a notebook")
        if data["nbformat"] < 4:
            data = nbformat.reads(content.decode("utf-8-sig"), as_version=4)
        cells = data["cells"]
        if not isinstance(cells, list) or len(cells) > MAX_CELLS:
            raise ValueError(f"it has no list of at most {MAX_CELLS:,} cells")
    except Exception as error:  # JSON errors, UnicodeDecodeError, RecursionError, and what nbformat lets through
        begins = repr(content[:80].decode("utf-8", "replace"))
        reason = f"{type(error).__name__}: {_clean(str(error))[:200]}; it begins with {begins}"
        return HandedIn([], {}, UNREADABLE.format(reason if content else "it is empty"))
    metadata = data.get("metadata")
    return HandedIn([c for c in cells if isinstance(c, dict)], metadata if isinstance(metadata, dict) else {})


@dataclass(frozen=True)
class KnownCell:
    """A cell as the gradebook knows it."""

    name: str
    cell_type: str
    locked: bool
    source: str
    checksum: str
    points: float | None
    solution: bool

    def metadata(self) -> dict[str, Any]:
        """nbgrader's metadata for this cell."""
        kind = {
            "schema_version": 3, "grade_id": self.name, "locked": self.locked, "grade": self.points is not None,
            "solution": self.solution, "task": False, "cell_type": self.cell_type, "checksum": self.checksum,
        }  # fmt: skip
        return {"nbgrader": kind | ({"points": self.points} if self.points is not None else {})}


class Restore(NbGraderPreprocessor):
    """See the module's docstring."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Return the restored notebook."""
        where = resources["nbgrader"]
        known = known_cells(where["db_url"], where["assignment"], where["notebook"])
        restored = restored_notebook(HandedIn(nb.cells, nb.metadata, nb.metadata.get("problem", "")), known)
        for note in restored.metadata.restored:
            self.log.warning("%s: %s", where["student"], note)
        return restored, resources


def restored_notebook(handed_in: HandedIn, known: dict[str, KnownCell]) -> NotebookNode:
    """The notebook to grade: of the student's file only the texts of cells and the course's edition are kept."""
    cells, notes = restored(handed_in.cells, known)
    if handed_in.problem:
        notes = [handed_in.problem]  # that every cell had to be put back follows from it
    metadata = {**KERNEL, "course": _plain_course(handed_in.metadata.get("course")), "restored": notes}
    return from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _plain_course(course: Any) -> dict[str, str]:
    items = course.items() if isinstance(course, dict) else ()
    return {k: _clean(v)[:100] for k, v in items if k in ("lesson", "edition") and isinstance(v, str)}


def known_cells(db_url: str, assignment: str, notebook_name: str) -> dict[str, KnownCell]:
    """What the gradebook knows of a notebook: cell name -> cell, in the notebook's order."""
    with database.transaction(db_url) as session:
        notebook = database.OpenGradebook(session).find_notebook(notebook_name, assignment)
        points = {c.name: float(c.max_score) for c in notebook.grade_cells}
        solutions = {c.name for c in notebook.solution_cells}
        return {
            c.name: KnownCell(
                c.name, c.cell_type, bool(c.locked), c.source, c.checksum, points.get(c.name), c.name in solutions
            )
            for c in notebook.source_cells
        }


def restored(cells: list[Any], known: dict[str, KnownCell]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the cells to grade and what had to be mended, in words for the student."""
    last = {_name(c): i for i, c in enumerate(cells) if _name(c) in known}  # of a copied cell the last counts
    notes: list[str] = []
    texts = _texts(cells)
    kept = [_restored_cell(c, texts[i], i, known, last, notes) for i, c in enumerate(cells)]
    for name, cell in known.items():
        # A deleted answer cell stays away: its stub would override what the student defined elsewhere. A check cell
        # comes back at the end, where everything that the student defined is known.
        if name not in last and cell.locked:
            notes.append(f"the locked cell {name} was missing and has been put back at the end")
            kept.append({"cell_type": cell.cell_type, "source": cell.source, "metadata": cell.metadata()})
    return [_finished(c, i) for i, c in enumerate(kept)], list(dict.fromkeys(notes))


def _name(cell: Any) -> str | None:
    meta = cell.get("metadata") if isinstance(cell, dict) else None
    mark = meta.get("nbgrader") if isinstance(meta, dict) else None
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    return name if isinstance(name, str) else None


def _restored_cell(
    cell: Any, text: str, i: int, known: dict[str, KnownCell], last: dict[str | None, int], notes: list[str]
) -> dict[str, Any]:
    name = _name(cell)
    own = known.get(name) if last.get(name) == i else None
    if own is None:
        if name in known:
            notes.append(f"the cell {name} is there more than once; the last one counts")
        return _foreign_cell(cell.get("cell_type"), text)
    # What is locked in the gradebook ends with hidden lines that the student never had: compare the visible part only.
    if own.locked and text.strip() != own.source.partition("### BEGIN HIDDEN")[0].strip():
        notes.append(f"the locked cell {name} was changed; its own text was put back")
    return {"cell_type": own.cell_type, "source": own.source if own.locked else text, "metadata": own.metadata()}


def _foreign_cell(kind: Any, text: str) -> dict[str, Any]:
    """A cell of the student's own. A raw one would enter the feedback page as HTML: it is shown as text."""
    if kind in ("code", "markdown"):
        return {"cell_type": kind, "source": text, "metadata": {}}
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    return {"cell_type": "markdown", "source": indented, "metadata": {}}


def _texts(cells: list[dict[str, Any]]) -> list[str]:
    """The text of every cell; of one that is too long, or that makes the whole too long, only its length is told."""
    texts, room = [], MAX_SOURCES
    for text in map(_text, cells):
        if len(text) > min(MAX_SOURCE, room):
            text = f"# This cell held {len(text):,} characters: too many."
        room -= len(text)
        texts.append(text)
    return texts


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    return _clean(source) if isinstance(source, str) else ""


def _clean(text: str) -> str:
    """Half a surrogate pair is a character that no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _finished(cell: dict[str, Any], i: int) -> dict[str, Any]:
    cell["id"] = f"c{i}"
    return cell | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})
