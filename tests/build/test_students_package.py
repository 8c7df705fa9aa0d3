"""What students install: the course and its lessons alone; a lesson is worked through with nothing else at hand."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder.build import ROOT
from autograder.demo import fill
from tests.grading.classroom import solved

pytestmark = pytest.mark.slow
LESSON = "ch02_scaled_dot_product"
WORK_THROUGH = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=60, kernel_name="student").execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `pip install .` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*command, "-w", folder, ROOT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


class Student:
    """A fresh environment outside of the repository: the wheel, and the libraries of the environment we run in."""

    def __init__(self, home: Path, wheel: Path):
        self.home, base = home, str(home / "venv")
        venv.create(base, symlinks=True)
        names = ("python", "python.exe")
        folder = Path(sysconfig.get_path("scripts", "venv", vars={"base": base}))
        self.python = next(folder / name for name in names if (folder / name).exists())
        self.site = Path(sysconfig.get_path("purelib", "venv", vars={"base": base}))
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "-q", "--no-deps", "--no-index"]
        subprocess.run([*pip, "--disable-pip-version-check", wheel], check=True, timeout=300)
        (self.site / "libraries.pth").write_text("\n".join(self._libraries()))
        self.run("-m", "ipykernel", "install", "--sys-prefix", "--name", "student")

    @staticmethod
    def _libraries() -> list[str]:
        """Where our own environment's libraries lie; the folders themselves, so that their .pth files do not count."""
        return [p for p in sys.path if p.endswith("site-packages")]

    def run(self, *arguments: str) -> str:
        """Run Python in the student's home; returns what it printed."""
        own = {"COURSE_PROGRESS": str(self.home / "progress.json"), "JUPYTER_DATA_DIR": str(self.home / "jupyter")}
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
        done = subprocess.run(
            [self.python, *arguments], cwd=self.home, env=kept | own, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def student(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Student:
    """A student who installed the wheel."""
    return Student(tmp_path_factory.mktemp("student"), wheel)


def test_the_wheel_holds_nothing_of_the_instructors(wheel: Path) -> None:
    """Only the course and its metadata; no definition, no solution, no lesson's text."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.partition("/")[0] for n in names if ".dist-info" not in n} <= {"course", "kernels"}
    assert [
        n for n in names if any(word in n for word in ("autograder", "solution", "source/", "exercises", "tests"))
    ] == []
    assert f"course/lessons/{LESSON}/{LESSON}.ipynb" in names
    assert f"course/checks/{LESSON}.safetensors" in names
    for name in names:
        assert b"graded(" not in zipfile.ZipFile(wheel).read(name), name


def test_the_instructors_side_is_not_there(student: Student) -> None:
    """And the course that is found is the installed one."""
    code = (
        "import course, importlib.util as u; print(course.__file__, *(u.find_spec(n) for n in ('autograder', 'tests')))"
    )
    assert student.run("-c", code).split() == [str(student.site / "course" / "__init__.py"), "None", "None"]


def test_nothing_in_the_package_needs_the_instructors_libraries(student: Student) -> None:
    """Every module of the course can be imported without jupytext, dask, sqlalchemy or typer."""
    code = """
import importlib, pkgutil, sys
for name in ("jupytext", "dask", "distributed", "typer", "sqlalchemy", "pytest", "playwright"):
    sys.modules[name] = None
import course
names = [m.name for m in pkgutil.walk_packages(course.__path__, "course.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names), "autograder" in sys.modules)
"""
    count, instructors = student.run("-c", code).split()
    assert int(count) > 10
    assert instructors == "False"


def test_a_lesson_is_worked_through(student: Student) -> None:
    """Handed out by the package's own command, filled in with right answers: every check passes, progress is kept."""
    assert f"new: my-course/{LESSON}/{LESSON}.ipynb" in student.run("-m", "course", "start").replace("\\", "/")
    path = student.home / "my-course" / LESSON / f"{LESSON}.ipynb"
    nbformat.write(fill(nbformat.read(path, as_version=4), solved(LESSON)), path)
    student.run("-c", WORK_THROUGH, str(path))
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [o for c in cells for o in c.outputs if o.output_type == "error" or o.get("name") == "stderr"] == []
    checks = [str(c.outputs) for c in cells if c.source.startswith("check(")]
    assert len(checks) == 5
    assert all(": passed" in text for text in checks)
    said = student.run("-c", "from course import progress; print(progress('ch02'))")
    assert said.count("1 of 1  done") == 5


def test_a_check_that_finds_nothing_says_so(student: Student) -> None:
    """Outside of a notebook: plain text."""
    said = student.run("-c", "from course import check; check('ch02.project_qkv'); check('ch02.nonsense')")
    assert "project_qkv: not found" in said
    assert "There is no exercise 'ch02.nonsense'. This lesson has: ch02.project_qkv" in said
