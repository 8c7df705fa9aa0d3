"""What runs beside a student's code knows nothing of the rest, and brings nothing of it along."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import autograder.untrusted
from autograder import engine as engine_module
from autograder.engine import ROOT, Engine

PACKAGE = Path(autograder.untrusted.__file__).parent
ALLOWED = {"autograder.untrusted", "course", "kernels", "IPython", "traitlets", "pyseccomp", "torch", "numpy"}


def _imported(tree: ast.AST, package: str) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "autograder" else {module}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_the_untrusted_half_imports_nothing_else_of_autograder(path: Path) -> None:
    """Not at its top, not inside a function, not by a relative import."""
    for name in _imported(ast.parse(path.read_text(encoding="utf-8")), "autograder.untrusted"):
        known = any(name == allowed or name.startswith(allowed + ".") for allowed in ALLOWED)
        assert known or name.split(".")[0] in sys.stdlib_module_names, f"{path.name} imports {name}"


def test_the_walk_finds_an_import_wherever_it_stands() -> None:
    """So that the test above can fail."""
    text = "def f():\n    from autograder import grading\n    from .. import exercise\n    import autograder.seeds"
    assert _imported(ast.parse(text), "autograder.untrusted") == {
        "autograder.grading", "autograder.exercise", "autograder.seeds"}  # fmt: skip


def test_a_fresh_process_holds_no_other_module_of_autograder(engine: Engine) -> None:
    """Whatever is in sys.modules there, a student can read."""
    with engine.student() as student:
        shown = student.run_cell("import sys; print(*sorted(m for m in sys.modules if m.startswith('autograder')))")
    names = shown[0].text.split()
    assert "autograder.untrusted.service" in names
    assert [n for n in names if n != "autograder" and not n.startswith("autograder.untrusted")] == []


def test_what_is_shown_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not the folder of the command that runs, nor the one where it was started: it may be the course's."""
    course, packages = tmp_path / "course", tmp_path / "packages"
    course.mkdir()
    (packages / "some-1.0.dist-info").mkdir(parents=True)
    monkeypatch.chdir(course)
    monkeypatch.setattr(sys, "path", ["", str(course), str(ROOT), str(packages), *sys.path])
    shown = engine_module._python_paths()
    assert str(packages) in shown
    assert not [p for p in shown if course.is_relative_to(p) or ROOT.is_relative_to(p)]


def test_an_environment_in_the_courses_folder_shows_its_own_parts_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`python -m venv .` is a habit of some."""
    for part in ("bin", "lib", "submitted"):
        (tmp_path / part).mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    shown = [p for p in engine_module._python_paths() if Path(p).is_relative_to(tmp_path)]
    assert shown == [str(tmp_path / "bin"), str(tmp_path / "lib")]
