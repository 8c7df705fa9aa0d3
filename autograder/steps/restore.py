"""First step of autograding: bring a submitted notebook back into the form that was handed out.

Nothing of a student's metadata is trusted. Every cell that the gradebook knows gets its metadata from there, locked
cells get their text back, a copied cell counts once, a deleted check cell comes back, and every other cell stays as
the student wrote it. Nothing the student wrote is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.notebooks import KERNEL


class NotANotebook(ValueError):
    """A submitted file cannot be read as a notebook; the message says what the instructor can do."""


class SubmissionExporter(NotebookExporter):
    """nbconvert's notebook exporter with an error that an instructor can act on."""

    def from_filename(self, filename: str, resources: dict | None = None, **kwargs: Any):
        """Read and convert a notebook. Raises NotANotebook."""
        try:
            nbformat.read(filename, as_version=4)
        except Exception as error:  # nbformat lets many kinds through, from JSON errors to KeyError
            raise NotANotebook(
                f"{filename} is not a notebook that can be read ({type(error).__name__}: {str(error)[:200]}). It is "
                "left as it is and gets no mark. Ask the student to open it in JupyterLab, save and submit again."
            ) from None
        return super().from_filename(filename, resources, **kwargs)


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
        course = nb.metadata.get("course")
        known = _known_cells(resources["nbgrader"])
        cells, notes = restored(nb.cells, known)
        for note in notes:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        nb.cells, nb.nbformat, nb.nbformat_minor = [from_dict(c) for c in cells], 4, 5
        nb.metadata = from_dict({**KERNEL, "course": _plain_course(course), "restored": notes})
        return nb, resources


def _plain_course(course: Any) -> dict[str, str]:
    items = course.items() if isinstance(course, dict) else ()
    return {k: v[:100] for k, v in items if k in ("lesson", "edition") and isinstance(v, str)}


def _known_cells(where: dict[str, str]) -> dict[str, KnownCell]:
    with Gradebook(where["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(where["notebook"], where["assignment"])
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
    kept = [_restored_cell(c, i, known, last, notes) for i, c in enumerate(cells)]
    for name, cell in known.items():
        # A deleted answer cell stays away: its stub would override what the student defined elsewhere. A check cell
        # comes back at the end, where everything that the student defined is known.
        if name not in last and cell.locked:
            notes.append(f"the locked cell {name} was missing and has been put back at the end")
            kept.append({"cell_type": cell.cell_type, "source": cell.source, "metadata": cell.metadata()})
    return [_finished(c, i) for i, c in enumerate(kept)], notes


def _name(cell: Any) -> str | None:
    meta = cell.get("metadata") if isinstance(cell, dict) else None
    mark = meta.get("nbgrader") if isinstance(meta, dict) else None
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    return name if isinstance(name, str) else None


def _restored_cell(
    cell: Any, i: int, known: dict[str, KnownCell], last: dict[str | None, int], notes: list[str]
) -> dict[str, Any]:
    name, text = _name(cell), _text(cell)
    own = known.get(name) if last.get(name) == i else None
    if own is None:
        if name in known:
            notes.append(f"the cell {name} is there more than once; the last one counts")
        kind = cell.get("cell_type")
        return {"cell_type": kind if kind in ("code", "markdown", "raw") else "raw", "source": text, "metadata": {}}
    # What is locked in the gradebook ends with hidden lines that the student never had: compare the visible part only.
    if own.locked and text.strip() != own.source.partition("### BEGIN HIDDEN")[0].strip():
        notes.append(f"the locked cell {name} was changed; its own text was put back")
    return {"cell_type": own.cell_type, "source": own.source if own.locked else text, "metadata": own.metadata()}


def _text(cell: Any) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(s for s in source if isinstance(s, str))


def _finished(cell: dict[str, Any], i: int) -> dict[str, Any]:
    cell["id"] = f"c{i}"
    return cell | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})
