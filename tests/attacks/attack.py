"""Read the attack files: what is submitted, and what must happen.

A file in `cases/` is a module whose docstring is one line, `Tries: ... Must: ...`. It may define

    KIND      the heading under which docs/attacks.md lists it; one of KINDS
    LESSON    the lesson (default ch02)
    SETUP     the text of a first cell of the attacker's own
    ANSWERS   exercise id -> text of the answer cell; the others stay as handed out, or are solved if HONEST
    FILES     name -> text of other files in the submitted folder
    tamper(notebook), raw(content) -> bytes, files(folder), outside(target)
              change the notebook, its bytes, the submitted folder; prepare something outside of it
    EARNS     exercise id -> points; what is not listed earns 0, or full points if HONEST
    SAYS      what the graded cells must say: a regular expression, or exercise id -> regular expression
    SHOWS     what the feedback page must show: the attack was tried, and refused
    SECONDS   how long grading and feedback may take, if not QUICK
    afterwards(ran) -> list of what went wrong

`{{COURSE}}`, `{{OTHER}}`, `{{PID}}`, `{{PORT}}`, `{{SOCKET}}` in texts become the course's folder, another student's
submitted folder, the grader's process, a port and an abstract socket that wait for a call: an attacker who knows all
that must fail too. `{{ATTEMPTS}}` becomes `attempt(name, action, ...)`, which prints whether it was refused.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.exercise import definitions

FOLDER = Path(__file__).parent / "cases"
CH02, CH06, M22 = "ch02_scaled_dot_product", "ch06_decoder", "m22_flash_attention"
QUICK = 20.0
KINDS = [
    "Forged results",
    "The judge's own code",
    "Frames on the socket",
    "IPython",
    "Right only sometimes",
    "Forbidden shortcuts",
    "Check questions",
    "Stand-ins",
    "Notebook metadata and cells",
    "Damaged files",
    "Files in the submission",
    "Script in pages",
    "Secrets",
    "Ways out",
    "Floods and bombs",
    "Endless and deadly code",
    "Honest but odd",
    "Known limits",
]
DOCSTRING = re.compile(r"Tries: (.+[^.])\. Must: (.+[^.])\.")
ATTEMPTS = '''
def attempt(name, *actions):
    """Print for each action whether it was refused."""
    for action in actions:
        try:
            result = action()
        except BaseException as error:
            print(f"{name}: refused ({type(error).__name__})")
        else:
            print(f"{name}: SUCCEEDED {str(result)[:2000]}")
'''
SUCCEEDED = "SUCCEEDED"


@dataclass(frozen=True)
class Attack:
    """One file of `cases/`; see the module's docstring."""

    name: str
    tries: str
    must: str
    kind: str
    lesson: str = CH02
    setup: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    honest: bool = False
    earns: dict[str, float] = field(default_factory=dict)
    says: str | dict[str, str] = ""
    shows: str = ""
    seconds: float = QUICK
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)

    @property
    def expected(self) -> dict[str, float]:
        """Exercise id -> the points that it must get, no more and no less."""
        full = {d.id: d.points for d in definitions(self.lesson).values()}
        return {i: self.earns.get(i, points if self.honest else 0.0) for i, points in full.items()}


FUNCTIONS = ("tamper", "raw", "files", "outside", "afterwards")
CONSTANTS = {"KIND", "LESSON", "SETUP", "ANSWERS", "FILES", "HONEST", "EARNS", "SAYS", "SHOWS", "SECONDS"}


class BadCase(ValueError):
    """An attack file does not keep to the form; the message says how."""


def names() -> list[str]:
    """The attacks, by file name."""
    return sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__")


def load(name: str) -> Attack:
    """Read one attack file. Raises BadCase."""
    if name not in names():
        raise BadCase(f"There is no attack {name!r}. There is one for each file in {FOLDER}.")
    module = importlib.import_module(f"tests.attacks.cases.{name}")
    text = module.__doc__ or ""
    said = DOCSTRING.fullmatch(text)
    line = (FOLDER / f"{name}.py").read_text(encoding="utf-8").partition("\n")[0]
    if not said or line != f'"""{text}"""' or len(line) > 120:
        raise BadCase(f'{name}.py should begin with one line of at most 120: """Tries: ... Must: ..."""')
    own = {k: v for k, v in vars(module).items() if k.isupper() and not k.startswith("_")}
    if wrong := set(own) - CONSTANTS:
        raise BadCase(f"{name}.py defines {', '.join(sorted(wrong))}, which nothing reads")
    given = {k.lower(): v for k, v in own.items() if k in CONSTANTS}
    functions = {k: getattr(module, k) for k in FUNCTIONS if callable(getattr(module, k, None))}
    if given.get("kind") not in KINDS:
        raise BadCase(f"{name}.py: KIND should be one of {', '.join(KINDS)}")
    return _known(Attack(name, said[1], said[2], functions=functions, **given))


def _known(attack: Attack) -> Attack:
    """The attack, if every exercise that it names exists."""
    says = attack.says if isinstance(attack.says, dict) else {}
    if unknown := {*attack.answers, *attack.earns, *says} - set(definitions(attack.lesson)):
        raise BadCase(f"{attack.name}.py: {attack.lesson} has no {', '.join(sorted(unknown))}")
    return attack
