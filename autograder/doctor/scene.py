"""What the doctor prepares outside the sandbox, and how it sees what came of a probe."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine import ROOT
from autograder.student import SandboxedStudent

SECRET_FOLDERS = ("autograder/exercises", "source", "solutions", "tests", "build")
MOST_OUTPUT = 3 << 20


def text_of(outputs: list[Any]) -> str:
    """What a cell printed, and its error if there is one."""
    return "\n".join(o.get("text") or f"{o.get('ename')}: {o.get('evalue')}" for o in outputs)


@dataclass
class Scene:
    """The machine as the probes find it: ears for any call, canaries in its files, a process to be found or killed.

    The methods that judge take what a probe printed, and return what is open, in words.
    """

    folder: Path
    heard: list[str] = field(default_factory=list)
    mark: str = field(default_factory=lambda: f"autograder-doctor-{secrets.token_hex(8)}")
    canary: str = field(default_factory=lambda: f"CANARY-{secrets.token_hex(8)}")
    before_secret: bytes = field(default_factory=lambda: secrets.token_bytes(12))

    def __enter__(self) -> Scene:
        with contextlib.ExitStack() as stack:
            self.secret = secrets.token_bytes(16)
            self.kept = bytearray(self.before_secret + self.secret)  # in this process's memory, and nowhere else
            self.left = f"{self.mark}-left"
            self.port = self._listen(stack)
            self.canaries = [path for place in self._places() if (path := self._plant(stack, place))]
            os.environ["AUTOGRADER_DOCTOR"] = self.environment = f"ENVIRONMENT-{secrets.token_hex(8)}"
            stack.callback(os.environ.pop, "AUTOGRADER_DOCTOR", None)
            self.bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)", self.mark])
            stack.callback(self.bystander.wait)
            stack.callback(self.bystander.kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _listen(self, stack: contextlib.ExitStack) -> int:
        tcp, udp, local = socket.socket(), socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        local.bind("\0" + self.mark)
        for ear in (tcp, udp, local):
            stack.callback(ear.close)
            if ear is not udp:
                ear.listen()
            threading.Thread(target=self._hear, args=(ear, ear is udp), daemon=True).start()
        return port

    def _hear(self, ear: socket.socket, is_udp: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                ear.recv(1) if is_udp else ear.accept()[0].close()
                self.heard.append("a call arrived")

    def _places(self) -> Iterator[Path]:
        """Where nobody's code may read: beside the gradebook and the submissions, and where programs leave things."""
        found = [self.folder, self.folder / "submitted", Path(tempfile.gettempdir()), Path.home(), Path("/dev/shm")]
        yield from dict.fromkeys(p.resolve() for p in found if p.is_dir())

    def _plant(self, stack: contextlib.ExitStack, place: Path) -> str:
        path = place / self.mark
        try:
            path.write_text(self.canary)
            path.chmod(0o644)  # so that it is not the file's own permission that protects it
        except OSError:
            return ""  # nothing can be left there for anybody to find
        stack.callback(path.unlink, missing_ok=True)
        return str(path)

    def let(self, other: SandboxedStudent) -> None:
        """Another submission, graded at the same time, keeps a file of its own."""
        code = f"import os\nopen('mine', 'w').write({self.canary!r})\nprint(os.path.abspath('mine'))"
        self.theirs = text_of(other.run_cell(code)).strip()

    @property
    def given(self) -> str:
        """The cell that tells an attacker all that one could possibly know."""
        known = {
            "PORT": self.port, "NAME": self.mark, "MARK": self.mark, "LEFT": self.left, "CANARIES": self.canaries,
            "BYSTANDER": self.bystander.pid, "THEIRS": self.theirs, "ENVIRONMENT": self.environment,
            "BEFORE_SECRET": self.before_secret.hex(), "SHARED_FOLDERS": self._shared(),
            "SECRET_FOLDERS": [str(ROOT / f) for f in SECRET_FOLDERS if (ROOT / f).is_dir()],
        }  # fmt: skip
        return f"globals().update({known!r})\nBEFORE_SECRET = re.escape(bytes.fromhex(BEFORE_SECRET))"

    def _shared(self) -> list[str]:
        return ["/usr", sys.prefix, f"{sys.prefix}/bin", str(ROOT / "course"), str(ROOT / "autograder" / "untrusted")]

    def refused(self, said: str) -> str:
        """Every line must say that it was refused."""
        lines = [line for line in said.splitlines() if line.strip()]
        if not lines:
            return "could not be tried: it said nothing"
        return "; ".join(line.removeprefix("OPEN: ") for line in lines if not line.startswith("refused:"))

    def unheard(self, said: str) -> str:
        """Nobody may have called."""
        heard, self.heard = self.heard, []
        return "; ".join(heard) or self.refused(said)

    def bystander_alive(self, said: str) -> str:
        """The other process must be there; inside, its number may well be somebody else's."""
        return "another process was killed" if self.bystander.poll() is not None else ""

    def nothing_left(self, said: str) -> str:
        """The process that was left behind has to be gone."""
        if "left behind" not in said:
            return f"could not be tried: {said}"
        alive = [p for p in Path("/proc").iterdir() if p.name.isdigit() and self.left in _command(p)]
        return f"processes {', '.join(p.name for p in alive)} live on" if alive else ""

    def canaries_unread(self, said: str) -> str:
        """No canary may have come out."""
        return self.refused(said).replace(self.canary, "a canary")

    def nothing_written(self, said: str) -> str:
        """No file may have come to be."""
        made = [path for folder in self._shared() if (path := Path(folder, self.mark)).exists()]
        for path in made:
            path.unlink()
        return f"{', '.join(map(str, made))} was written" if made else self.refused(said)

    def secret_not_found(self, said: str) -> str:
        """What follows the known beginning, wherever that was found, must not be the secret."""
        if not said.startswith("searched:"):
            return self.refused(said)
        return "it was found" if self.secret.hex() in said else ""

    def output_bounded(self, said: str) -> str:
        """Of a flood, a little may be kept."""
        return f"{len(said)} characters came through" if len(said) > MOST_OUTPUT else ""


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace")
    except OSError:
        return ""
