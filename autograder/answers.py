"""TRUSTED side: read what a student's process says came of a script, with only the fields that a runner gives."""

from __future__ import annotations

from typing import Any

from course.checks.judge import StudentCodeDied
from course.checks.runner import Outcome


def outcomes_in(answer: dict[str, Any], steps: int) -> list[Outcome]:
    """The outcomes in an answer. Raises StudentCodeDied for anything else."""
    outcomes = answer.get("outcomes")
    if not isinstance(outcomes, list) or not 1 <= len(outcomes) <= steps:
        raise StudentCodeDied("Your code's answer could not be read.")
    return [_outcome(o) for o in outcomes]


def _outcome(given: Any) -> Outcome:
    if not isinstance(given, dict):
        raise StudentCodeDied("Your code's answer could not be read.")
    if "missing" in given:
        return {"missing": str(given["missing"])[:100]}
    if "raised" in given:
        bases = given.get("bases") if isinstance(given.get("bases"), list) else []
        texts = {k: str(given.get(k, ""))[:500] for k in ("raised", "message", "where")}
        return {**texts, "bases": [str(b)[:100] for b in bases[:30]]}
    changed = given.get("changed") if isinstance(given.get("changed"), list) else []
    found = {"value": given.get("value"), "changed": [str(c)[:50] for c in changed[:20]]}
    return found | ({"needs": _needs(given["needs"])} if isinstance(given.get("needs"), dict) else {})


def _needs(given: dict[Any, Any]) -> dict[str, Any]:
    """Whole numbers by name, and of each tensor what was read and written."""
    plain = {str(k)[:50]: v for k, v in list(given.items())[:10] if type(v) is int}
    tensors = given.get("tensors")
    if isinstance(tensors, dict):
        pairs = {str(k)[:50]: v for k, v in list(tensors.items())[:20] if isinstance(v, list | tuple) and len(v) == 2}
        plain["tensors"] = {k: list(v) for k, v in pairs.items() if all(type(n) is int for n in v)}
    return plain
