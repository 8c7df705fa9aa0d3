"""Try every probe on this machine."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.doctor.probes import LIMITS, PRELUDE, PROBES, Probe
from autograder.doctor.remedies import remedy
from autograder.doctor.scene import Scene, text_of
from autograder.engine import Engine, EngineError, IsolationError
from autograder.untrusted import landlock
from autograder.untrusted.jail import LAYERS
from course.checks.judge import StudentCodeDied


@dataclass(frozen=True)
class Finding:
    """What came of one probe; `open` says what is open, and is empty if the layer holds."""

    group: str
    name: str
    open: str


@dataclass(frozen=True)
class Examination:
    """What the doctor found."""

    missing: dict[str, str]
    findings: list[Finding]
    error: str = ""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return not self.error and not self.missing and not any(f.open for f in self.findings)

    def remedies(self) -> dict[str, str]:
        """Group -> what to do, for what is missing; where nothing is, for what is open nevertheless."""
        broken = list(self.missing) or [f.group for f in self.findings if f.open]
        return {group: remedy(group, self.missing.get(group, "")) for group in dict.fromkeys(broken)}


def as_data(found: Examination) -> dict[str, Any]:
    """The examination as plain data."""
    layers = {name: {"for": text, "missing": found.missing.get(name)} for name, text in LAYERS.items()}
    return {"holds": found.holds, "error": found.error, "machine": machine(), "seconds": round(found.seconds, 1),
            "layers": layers, "probes": [asdict(f) for f in found.findings], "remedies": found.remedies()}  # fmt: skip


def machine() -> str:
    """The system and the user, in a line."""
    try:
        version = f"Landlock {landlock.version()}"
    except OSError:
        version = "no Landlock"
    return f"{platform.system()} {platform.release()}, {platform.machine()}, user {os.getuid()}, {version}"


def examine(folder: Path) -> Examination:
    """Try every probe."""
    started = time.perf_counter()
    if sys.platform != "linux":
        return Examination({}, [], "Students' code is only run on Linux. Use the container (deploy/README.md).")
    findings: list[Finding] = []
    try:
        with Scene(folder) as scene, Engine(allow_weaker_isolation=True) as engine:
            missing = engine.missing()
            with engine.student(LIMITS) as other:
                scene.let(other)
                findings = [tried(engine, scene, probe) for probe in PROBES]
    except (EngineError, IsolationError) as error:
        return Examination({}, findings, str(error), time.perf_counter() - started)
    return Examination(missing, findings, "", time.perf_counter() - started)


def tried(engine: Engine, scene: Scene, probe: Probe) -> Finding:
    """Run one probe in a process of its own."""
    said, death = "", ""
    with engine.student(probe.limits) as student:
        try:
            student.run_cell(PRELUDE)
            student.run_cell(scene.given)
            said = text_of(student.run_cell(probe.code))
        except StudentCodeDied as error:
            death = str(error)
    if probe.dies or death:
        is_open = "" if probe.dies and probe.dies in death else f"could not be tried: {death or 'it was not ended'}"
    else:
        is_open = getattr(scene, probe.judge)(said)
    return Finding(probe.group, probe.name, is_open[:300])
