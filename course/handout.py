"""A student's working copies: made from the released lessons, never overwritten once they have been worked on."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.checks import sheet

START = "START.ipynb"
HOW = """Open a lesson, read from the top, run each cell with **Shift+Enter**. Where it says *Your code here*, write
your own; the cell below checks it at once and says what is wrong. The pictures then run on your function.

Everything you do stays in this folder. `python -m course start` brings new lessons and leaves what you changed."""


def lessons_folder() -> Path:
    """Where the released lessons lie: inside the installed package, or in the checkout."""
    packaged = Path(__file__).parent / "lessons"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "release"


def content_digest(notebook: nbformat.NotebookNode) -> str:
    """Digest of what a person could have changed: every cell's text, in order, and whether it has outputs."""
    parts = [[c.cell_type, c.source, bool(c.get("outputs"))] for c in notebook.cells]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def stamped(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with its own digest in its metadata, by which an untouched copy is known again."""
    notebook.metadata.setdefault("course", {})["digest"] = content_digest(notebook)
    return notebook


def edited_by_hand(path: Path, *, outputs_count: bool = True) -> bool:
    """Whether an existing notebook holds anything that was not in it when it was made."""
    if not path.exists():
        return False
    try:
        notebook = nbformat.read(path, as_version=4)
        for cell in [] if outputs_count else notebook.cells:
            cell.pop("outputs", None)
        return notebook.metadata["course"]["digest"] != content_digest(notebook)
    except Exception:  # whatever it is, it is no untouched copy, and so somebody's work
        return True


def hand_out(folder: Path) -> list[str]:
    """Put every lesson into `folder`, with a start page; return what was done, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    done = [_hand_out_one(path, folder) for path in sorted(lessons_folder().glob("*/*.ipynb"))]
    if not edited_by_hand(folder / START, outputs_count=False):  # to run it is what it is there for
        nbformat.write(stamped(start_page()), folder / START)
    return [line for line in done if line]


def _hand_out_one(released: Path, folder: Path) -> str:
    target = folder / released.parent.name / released.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(released, target)
        return f"new: {target}"
    if _edition(target) == _edition(released):
        return ""
    if not edited_by_hand(target):
        shutil.copy(released, target)
        return f"updated: {target}"
    beside = target.with_name(f"{target.stem}.edition-{_edition(released)}.ipynb")
    if beside.exists():
        return ""
    shutil.copy(released, beside)
    return f"kept your {target}; the new edition of the lesson is beside it: {beside.name}"


def _edition(path: Path) -> str:
    """Edition and text of a lesson as released; of a student's copy, those of the release it was made from."""
    try:
        made = nbformat.read(path, as_version=4).metadata["course"]
        return f"{made['edition']}-{made['digest'][:6]}"
    except Exception:  # unreadable: a fresh copy will be put beside it
        return "unknown"


def start_page() -> nbformat.NotebookNode:
    """The notebook that JupyterLab opens first: the lessons with links, and the student's progress."""
    rows = ["| lesson | time | exercises | points |", "|:---|---:|---:|---:|"]
    for name in sheet.lessons():
        lesson = sheet.load_lesson(name)
        link = f"[{name.partition('_')[0]} {lesson.title}]({name}/{name}.ipynb)"
        rows.append(f"| {link} | {lesson.minutes} min | {len(lesson.sheets)} | {lesson.points:g} |")
    text = f"# Transformers from first principles\n\n{HOW}\n\n" + "\n".join(rows)
    cells = [new_markdown_cell(text, id="welcome"), new_markdown_cell("## Your progress", id="heading")]
    cells.append(new_code_cell("from course import progress\n\nprogress()", id="progress"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
