"""Write requirements.lock: one exact version of every package, the same on every Python that the course supports.

    python tools/lock.py [python3.11 python3.12 python3.13]

pip resolves the dependencies of pyproject.toml on each interpreter without installing anything, the oldest first; its
answer binds the later ones. A package that only some Pythons need gets a marker. The CUDA packages of a GPU build of
torch are left out: torch pins them itself, and a CPU build has none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
EXTRAS = ("instructor", "test", "oracle")
PYTHONS = ("python3.11", "python3.12", "python3.13")
# Held back on purpose. triton is the one that this torch's CUDA build demands, so that the lock fits both builds;
# soupsieve is the last one that runs on the first releases of 3.11, which Debian 12 has.
PINS = {"jupyterlab": "4.6.6", "nbgrader": "0.9.6", "soupsieve": "2.10", "torch": "2.13.0", "triton": "3.7.1"}
LINUX_ONLY = {"triton", "pyseccomp"}
CUDA = ("nvidia-", "cuda-")
HEADER = """\
# Exact versions for Python 3.11 to 3.13. Written by tools/lock.py (make lock); do not edit.
# Holds the course and its extras: {extras}. CUDA packages are pinned by torch itself.
"""

Pins = dict[str, str]


def requirements() -> list[str]:
    """The requirement strings of pyproject.toml, with the extras that the lock covers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return project["dependencies"] + [line for name in EXTRAS for line in extras[name]]


def normalised(name: str) -> str:
    """The package name as indexes compare it: lower case, dashes."""
    return name.lower().replace("_", "-").replace(".", "-")


def resolve(python: str, constraints: Pins) -> Pins:
    """What pip would install on this interpreter, by name; nothing is installed.

    Raises:
        SystemExit: pip found no solution (its own message is on stderr), or the interpreter does not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        bounds = Path(folder, "constraints.txt")
        bounds.write_text("".join(f"{name}=={version}\n" for name, version in constraints.items()))
        report = Path(folder, "report.json")
        command = [python, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--constraint", str(bounds), *requirements()]
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"lock: {python} could not resolve: {error}") from None
        return installed(json.loads(report.read_text()))


def installed(report: dict) -> Pins:
    """Names and public versions in pip's report; a local part such as +cpu is one machine's business."""
    packages = [item["metadata"] for item in report["install"]]
    pins = {normalised(package["name"]): package["version"].partition("+")[0] for package in packages}
    return {name: version for name, version in pins.items() if not name.startswith(CUDA)}


def resolve_all(pythons: tuple[str, ...]) -> dict[str, Pins]:
    """Every interpreter's pins, keyed by its "3.x"; what one has settled binds the next."""
    settled, answers = dict(PINS), {}
    for python in pythons:
        answers[minor_version(python)] = pins = resolve(python, settled)
        settled |= pins
    return answers


def minor_version(python: str) -> str:
    """The "3.x" of an interpreter, asked of itself."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.check_output([python, "-c", code], text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(f"lock: {python} does not run; name the interpreters to use, one for each Python") from None


def lines(answers: dict[str, Pins]) -> list[str]:
    """The lock's lines, sorted by name."""
    versions = {name: version for pins in answers.values() for name, version in pins.items()}
    return [f"{name}=={versions[name]}{marker(name, answers)}" for name in sorted(versions)]


def marker(name: str, answers: dict[str, Pins]) -> str:
    """The condition under which a package is needed; empty when it always is."""
    needed = [version for version, pins in answers.items() if name in pins]
    terms = ["sys_platform == 'linux'"] if name in LINUX_ONLY else []
    if len(needed) < len(answers):
        either = " or ".join(f"python_version == '{version}'" for version in needed)
        terms.append(f"({either})" if terms and len(needed) > 1 else either)
    return f" ; {' and '.join(terms)}" if terms else ""


def main() -> None:
    """Resolve and write the lock."""
    answers = resolve_all(tuple(sys.argv[1:]) or PYTHONS)
    body = "\n".join(lines(answers))
    LOCK.write_text(HEADER.format(extras=", ".join(EXTRAS)) + body + "\n")
    print(f"{LOCK.name}: {body.count(chr(10)) + 1} packages for Python {', '.join(answers)}")


if __name__ == "__main__":
    main()
