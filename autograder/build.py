"""Make everything that is generated from a lesson's text and its exercises.

    course/checks/<lesson>.safetensors   golden data of the visible checks
    release/<lesson>/<lesson>.ipynb      what students get, made by nbgrader's own generate_assignment
    solutions/<lesson>/<lesson>.ipynb    solved, for self-study
    build/source/<lesson>/...            nbgrader's source notebook: made on demand, not committed

The same text gives the same bytes. A notebook that somebody has changed is never overwritten.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
import numpy as np

from autograder import lesson_source, notebooks
from autograder.configuration import course_config
from autograder.exercise import definitions
from course.checks import sheet
from course.handout import edited_by_hand, stamped

ROOT = Path(__file__).resolve().parents[1]


class BuildError(RuntimeError):
    """The build cannot go on without losing something, or found something stale; the message says what to do."""


def golden_bytes(lesson: str) -> bytes:
    """The golden file of a lesson, made afresh."""
    made = [d.visible_sheet() for d in definitions(lesson).values()]
    return sheet.dump(lesson, title(lesson), made, lesson_source.minutes(ROOT, lesson))


def title(lesson: str) -> str:
    """The lesson's title, from its exercises' module."""
    import importlib

    return importlib.import_module(f"autograder.exercises.{lesson}").TITLE


def refresh_golden(lesson: str, write: bool) -> bool:
    """Bring the golden file up to date; return whether it was stale.

    A file that differs in last bits only (another processor's sums) counts as fresh and is left alone.
    """
    path, fresh = sheet.path_of(lesson), golden_bytes(lesson)
    if path.exists() and (path.read_bytes() == fresh or _equivalent(path.read_bytes(), fresh)):
        return False
    if write:
        path.write_bytes(fresh)
    return True


def _equivalent(old: bytes, new: bytes) -> bool:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        (trees, arrays) = zip(*((_header(b), load(b)) for b in (old, new)), strict=True)
    except (SafetensorError, ValueError, KeyError):  # what is committed is damaged
        return False
    if trees[0] != trees[1] or arrays[0].keys() != arrays[1].keys():
        return False
    pairs = [(arrays[0][name], arrays[1][name]) for name in arrays[0]]
    return all(a.dtype == b.dtype and a.shape == b.shape and _same_but_last_bits(a, b) for a, b in pairs)


def _same_but_last_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Of float32 the last bits are larger, and a wrong answer's sums, kept as they came, may magnify them."""
    rtol, atol = (1e-4, 1e-5) if a.dtype == np.float32 else (1e-12, 1e-12)
    return np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def _header(data: bytes) -> object:
    size = int.from_bytes(data[:8], "little")
    tree = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["course"])
    return _rounded(tree)


def _rounded(tree: object) -> object:
    """The tree without what may differ between machines: last digits of floats, NumPy's wording of errors."""
    if isinstance(tree, float):
        return float(f"{tree:.10g}")
    if isinstance(tree, list):
        if len(tree) == 2 and tree[0] == "message":
            return ["message", ""]
        return [_rounded(t) for t in tree]
    return {k: _rounded(v) for k, v in tree.items()} if isinstance(tree, dict) else tree


def source_text(root: Path, lesson: str) -> str:
    """nbgrader's source notebook of a lesson, as text."""
    edition = sheet.load_lesson(lesson).edition
    notebook = notebooks.source_notebook(lesson, lesson_source.read(root, lesson), edition)
    return notebooks.write(stamped(notebook))


def solution_text(root: Path, lesson: str) -> str:
    """The solved notebook of a lesson, as text."""
    edition = sheet.load_lesson(lesson).edition
    notebook = notebooks.solved_notebook(lesson, lesson_source.read(root, lesson), edition)
    return notebooks.write(stamped(notebook))


def release_texts(root: Path, lessons: Iterable[str]) -> dict[str, str]:
    """Lesson -> the notebook that students get, made by nbgrader's generate_assignment in a folder of its own."""
    from nbgrader.apps import NbGraderAPI

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch).resolve()
        api = NbGraderAPI(config=course_config(place))
        return {lesson: _released(api, root, place, lesson) for lesson in lessons}


def _released(api, root: Path, place: Path, lesson: str) -> str:
    path = place / "build" / "source" / lesson / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(source_text(root, lesson), encoding="utf-8")
    result = api.generate_assignment(lesson)
    if not result["success"]:
        raise BuildError(f"nbgrader could not make {lesson}:\n{result.get('error') or ''}{result.get('log') or ''}")
    made = nbformat.read(place / "build" / "release" / lesson / f"{lesson}.ipynb", as_version=4)
    return notebooks.write(made)


def build(root: Path, lessons: list[str], check: bool = False) -> list[Path]:
    """Bring everything up to date; return the paths that were stale. With `check`, write nothing.

    Raises BuildError, before writing that file, for a release or solution that a person has changed.
    """
    lessons = lessons or lesson_source.lessons(root)
    for lesson in lessons:
        lesson_source.read(root, lesson)  # a mistake in the text shows before anything is written
    stale = [sheet.path_of(x) for x in lessons if refresh_golden(x, write=not check)]
    wanted = {root / "solutions" / x / f"{x}.ipynb": solution_text(root, x) for x in lessons}
    wanted |= {root / "release" / x / f"{x}.ipynb": text for x, text in release_texts(root, lessons).items()}
    changed = [path for path, text in sorted(wanted.items()) if _read(path) != text]
    if not check:
        _write_all({path: wanted[path] for path in changed})
    return stale + changed


def _write_all(files: dict[Path, str]) -> None:
    if edited := [path for path in files if edited_by_hand(path)]:
        raise BuildError(
            "These notebooks were changed by hand and are left alone, no notebook was written:\n"
            + "".join(f"  {path}\n" for path in edited)
            + "They are generated. To keep your work, move the file elsewhere (students work in my-course/, made by "
            "`make lab`); to change the lesson, edit source/. Then run the build again."
        )
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def refresh_sources(root: Path) -> list[Path]:
    """Make the source notebooks in build/source that are missing or older than what they come from.

    Called whenever nbgrader starts, so that `nbgrader generate_assignment` and formgrader always find them. One that
    was edited by hand is first moved to build/edited.
    """
    made = []
    for lesson in lesson_source.lessons(root):
        target = root / "build" / "source" / lesson / f"{lesson}.ipynb"
        if sheet.path_of(lesson).exists() and _outdated(target, root, lesson):
            _set_aside(target, root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source_text(root, lesson), encoding="utf-8")
            made.append(target)
    return made


def _outdated(target: Path, root: Path, lesson: str) -> bool:
    if not target.exists():
        return True
    inputs = [root / "source" / lesson / f"{lesson}.py", sheet.path_of(lesson)]
    inputs += [root / "autograder" / "exercises" / f"{lesson}.py", Path(notebooks.__file__)]
    return any(p.exists() and p.stat().st_mtime > target.stat().st_mtime for p in inputs)


def _set_aside(target: Path, root: Path) -> None:
    if edited_by_hand(target):
        folder = root / "build" / "edited"
        folder.mkdir(parents=True, exist_ok=True)
        names = (f"{target.stem}{i}.ipynb" for i in ["", *(f"-{n}" for n in range(2, 1000))])
        kept = next(folder / name for name in names if not (folder / name).exists())
        target.rename(kept)
        print(f"{target} had been edited by hand; your version is now {kept}. Lessons are edited in source/.")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
