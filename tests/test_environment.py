"""The ways to install the course agree with each other, refuse what they cannot use, and name nobody's machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKED_EXTRAS = ("instructor", "test", "oracle")
PYTHONS = ("3.11", "3.12", "3.13")

Requirements = dict[str, Requirement]


def parsed(lines: Iterable[str]) -> Requirements:
    """Requirements by canonical name; a name that comes twice is an error."""
    requirements = [Requirement(line) for line in lines]
    names = [canonicalize_name(requirement.name) for requirement in requirements]
    assert len(set(names)) == len(names), sorted(names)
    return dict(zip(names, requirements, strict=True))


def conda() -> tuple[str, list[str]]:
    """environment.yml's Python requirement and the lines of its pip section."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (python,) = [entry for entry in entries if str(entry).startswith("python")]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return python.removeprefix("python"), pip


def lock() -> Requirements:
    """The pins of requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return parsed(line for line in lines if not line.startswith("#"))


def locked_requirements() -> list[Requirement]:
    """Everything in pyproject.toml that the lock has to satisfy."""
    wanted = PROJECT["dependencies"] + [line for extra in LOCKED_EXTRAS for line in EXTRAS[extra]]
    return [Requirement(line) for line in wanted]


def on(python: str) -> dict[str, str]:
    """The marker environment of a Python on Linux."""
    return {**default_environment(), "python_version": python, "sys_platform": "linux"}


def test_environment_yml_names_the_packages_and_bounds_of_pyproject() -> None:
    python, pip = conda()
    declared = parsed(PROJECT["dependencies"] + EXTRAS["instructor"])
    assert SpecifierSet(python) == SpecifierSet(PROJECT["requires-python"])
    assert parsed(line for line in pip if line != "-e .") == declared


def test_every_dependency_has_a_lower_bound() -> None:
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]:
        assert any(bound.operator == ">=" for bound in Requirement(line).specifier), line


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_pyproject(python: str) -> None:
    pins = lock()
    for wanted in locked_requirements():
        pin = pins[canonicalize_name(wanted.name)]
        (exact,) = pin.specifier
        assert exact.operator == "==", pin
        assert wanted.specifier.contains(exact.version), f"{wanted} is locked to {exact.version}"
        assert pin.marker is None or pin.marker.evaluate(on(python)), pin


def test_the_lock_names_no_address_and_no_local_build() -> None:
    for pin in lock().values():
        (exact,) = pin.specifier
        assert pin.url is None
        assert "+" not in exact.version, pin


def test_the_lock_is_sorted_and_written_by_its_tool() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    names = [line.partition("==")[0] for line in lines if not line.startswith("#")]
    assert names == sorted(names)
    assert "tools/lock.py" in lines[0]


def test_supported_pythons_are_the_ones_named_everywhere() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    inside = tuple(f"3.{minor}" for minor in range(20) if supported.contains(f"3.{minor}"))
    classified = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3" in name]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert inside == PYTHONS
    assert tuple(classified) == PYTHONS
    assert tuple(workflow["jobs"]["locked"]["strategy"]["matrix"]["python"]) == PYTHONS


def fake_python(folder: Path, name: str, version: str, has_venv: bool = True) -> None:
    """A stand-in that answers as find_python.sh asks: with its version, or with whether it suits."""
    suits = has_venv and version.rpartition(".")[0] in PYTHONS
    script = f"#!/bin/sh\ncase $2 in *ensurepip*) exit {0 if suits else 1};; *) echo {version};; esac\n"
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def broken_python(folder: Path, name: str) -> None:
    """A version manager's shim for a Python that is not installed."""
    (folder / name).write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    (folder / name).chmod(0o755)


def find_python(folder: Path, *named: str) -> subprocess.CompletedProcess[str]:
    """tools/find_python.sh with no other interpreter in reach than those in `folder`."""
    command = ["/bin/sh", str(ROOT / "tools/find_python.sh"), *named]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True)


def test_the_oldest_supported_python_that_runs_is_taken(tmp_path: Path) -> None:
    broken_python(tmp_path, "python3.11")
    fake_python(tmp_path, "python3.12", "3.12.9", has_venv=False)
    fake_python(tmp_path, "python3.13", "3.13.0")
    assert find_python(tmp_path).stdout == "python3.13\n"


def test_the_python_that_the_user_names_is_taken(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3.11", "3.11.2")
    fake_python(tmp_path, "mine", "3.12.1")
    assert find_python(tmp_path, "mine").stdout == "mine\n"


@pytest.mark.parametrize(
    ("version", "has_venv", "fault"),
    [
        ("3.10.4", True, "is Python 3.10.4; the course runs on 3.11, 3.12 and 3.13"),
        ("3.14.0", True, "is Python 3.14.0; the course runs on 3.11, 3.12 and 3.13"),
        ("3.12.1", False, "is Python 3.12.1, but has no venv module"),
    ],
)
def test_a_python_that_does_not_suit_is_refused_with_what_to_do(tmp_path, version, has_venv, fault) -> None:
    fake_python(tmp_path, "mine", version, has_venv)
    answer = find_python(tmp_path, "mine")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert fault in answer.stderr
    assert "Install Python 3.11, 3.12 or 3.13" in answer.stderr


def test_no_python_at_all_is_said_so(tmp_path: Path) -> None:
    answer = find_python(tmp_path)
    assert answer.returncode == 1
    assert "No suitable Python was found" in answer.stderr


# Written in pieces, so that this file does not hold what it forbids.
REGISTRIES = "pypi|pythonhosted|anaconda|npmjs|yarnpkg|deb[.]debian|download[.]pytorch"
FORBIDDEN = {
    "a package registry's host": rf"\b(?:{REGISTRIES})[.](?:org|com)\b",
    "a path of somebody's machine": r"(?<![\w.])/" + r"(?:root/[.\w]|home/\w+/|Users/\w+/|work/(?:main|shared|\.))",
    "a folder of wheels": r"/op" + r"t/(?:wheels|pypi)",
}


def repository_files() -> list[Path]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names_a_registry_or_a_machine(what: str) -> None:
    found = [f"{file.relative_to(ROOT)}: {match.group()}" for file in repository_files() for match in hits(what, file)]
    assert not found, f"{what}: {found}"


def hits(what: str, file: Path) -> Iterable[re.Match[str]]:
    """Where one file holds what is forbidden, binary files read as text too."""
    return re.finditer(FORBIDDEN[what], file.read_text(errors="ignore"))


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a package registry's host", "https://files.pythonhosted" + ".org/packages"),
        ("a package registry's host", "https://pypi" + ".org/simple"),
        ("a package registry's host", "https://registry.npmjs" + ".org/three"),
        ("a package registry's host", "http://deb.debian" + ".org/debian"),
        ("a package registry's host", "https://download.pytorch" + ".org/whl/cpu"),
        ("a path of somebody's machine", 'File "/ro' + 'ot/.cache/x"'),
        ("a path of somebody's machine", "/ho" + "me/ada/course"),
    ],
)
def test_what_is_forbidden_is_found(what: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    assert list(hits(what, tmp_path / "file"))
