"""A notebook's cells in this process: IPython without a kernel, its outputs collected as plain data."""

from __future__ import annotations

import base64
import builtins
import io
import os
import signal
import sys
import traceback
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type

MAX_OUTPUTS = 500  # of one cell
NO_INPUT = "Nobody is there to answer input() while a notebook is graded."
Output = dict[str, Any]


class TimeLimit(KeyboardInterrupt):
    """A cell or a case took too long."""


class Outputs:
    """The outputs of the cell that runs, up to a number of characters."""

    def __init__(self) -> None:
        self.limit = 1 << 20
        self.start()

    def start(self) -> None:
        """Forget the last cell's."""
        self.items: list[Output] = []
        self.shown: dict[str, list[Output]] = {}
        self.size = 0
        self.clear_first = False

    def add(self, output: Output) -> None:
        """Keep an output, as far as there is room; text goes on where the last one ended."""
        if self.clear_first:
            self.items, self.clear_first = [], False
        self.size += _size(output)
        if self.size > self.limit or len(self.items) >= MAX_OUTPUTS:
            return
        last = self.items[-1] if self.items else {}
        if output["output_type"] == "stream" == last.get("output_type") and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            self.items.append(output)

    def finished(self) -> list[Output]:
        """The outputs, with a word about what had no room."""
        if self.size > self.limit or len(self.items) >= MAX_OUTPUTS:
            text = "\n[this cell shows too much; the rest is left out]\n"
            return [*self.items, {"output_type": "stream", "name": "stderr", "text": text}]
        return self.items


def _size(output: Output) -> int:
    data = output.get("data", output)
    return sum(len(v) for v in data.values() if isinstance(v, str | list))


outputs = Outputs()


class _Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, *, transient=None, update=False, **_: Any) -> None:
        name = (transient or {}).get("display_id")
        data = _as_text(data)
        if update:
            for output in outputs.shown.get(name, []):
                output["data"] = data
            return
        output = {"output_type": "display_data", "data": data}
        outputs.add(output)
        if name:
            outputs.shown.setdefault(name, []).append(output)

    def clear_output(self, wait: bool = False) -> None:
        if wait:
            outputs.clear_first = True
        else:
            outputs.items = []


def _as_text(data: Any) -> dict[str, str]:
    """A mime bundle with text only; pictures in base64, as notebooks keep them."""
    texts = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in dict(data).items()}
    return {str(k): v for k, v in texts.items() if isinstance(v, str)}


class _Hook(DisplayHook):
    def start_displayhook(self) -> None:
        self.result: Output = {}

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict, md_dict=None) -> None:
        self.result = {"output_type": "execute_result", "data": _as_text(format_dict)}

    def finish_displayhook(self) -> None:
        if self.result:
            outputs.add(self.result)


class _Stream(io.TextIOBase):
    encoding, errors = "utf-8", "replace"

    def __init__(self, name: str, fd: int):
        self.name, self._fd = name, fd

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            outputs.add({"output_type": "stream", "name": self.name, "text": text})
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd


class Shell(InteractiveShell):
    """IPython's shell, with outputs that are collected and nobody at the keyboard."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    system = InteractiveShell.system_raw  # `!ls`: there is no terminal to be had here

    def init_history(self) -> None:
        """Keep no history on disk."""
        self.history_manager = HistoryManager(shell=self, parent=self, enabled=False)

    def enable_gui(self, gui: Any = None) -> None:
        """There is no window to draw into."""

    def ask_exit(self) -> None:
        """`exit` ends the cell and no more, as in a notebook that is run by a machine."""

    def raw_input(self, *_: Any, **__: Any) -> str:
        """input(): nobody is there."""
        raise StdinNotImplementedError(NO_INPUT)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        outputs.add(error_output(etype.__name__, evalue, [str(line) for line in stb]))


def error_output(name: str, error: BaseException, lines: list[str]) -> Output:
    """An error as a notebook shows it."""
    try:
        text = str(error)
    except Exception:
        text = "(an error whose message cannot be read)"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": lines}


def make() -> Shell:
    """The shell: made once, before any submission, and inherited by each fork."""
    shell = Shell.instance()
    shell.colors = "nocolor"
    builtins.input = shell.raw_input
    return shell


def run(shell: Shell, source: str, seconds: float, output_mb: float, captured: int) -> list[Output]:
    """Run one cell and return its outputs. `captured` is the file that descriptors 1 and 2 write to."""
    outputs.start()
    outputs.limit = int(output_mb * (1 << 20))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream("stdout", 1), _Stream("stderr", 2)
    try:
        with time_limit(seconds, f"This cell took longer than {seconds:g} s. Is there a loop that does not end?"):
            result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        shown = isinstance(error, UsageError) or any(o["output_type"] == "error" for o in outputs.items)
        if error is not None and not shown:
            outputs.add(error_output(type(error).__name__, error, []))
    except BaseException as error:  # the time limit between two statements, or an error out of IPython itself
        outputs.add(error_output(type(error).__name__, error, traceback.format_exception(error)[-3:]))
    finally:
        sys.stdout, sys.stderr = before
    if text := _take(captured):
        outputs.add({"output_type": "stream", "name": "stdout", "text": text})
    return outputs.finished()


def _take(captured: int) -> str:
    """What was written below Python, to descriptors 1 and 2, and forget it."""
    size = os.lseek(captured, 0, os.SEEK_END)
    if not size:
        return ""
    text = os.pread(captured, min(size, outputs.limit), 0).decode(errors="replace")
    os.ftruncate(captured, 0)
    os.lseek(captured, 0, os.SEEK_SET)
    return text


class time_limit:
    """Raise TimeLimit in the main thread after some seconds. Student code can switch it off: it is for a kind word.

    What counts is the trusted side's own clock.
    """

    def __init__(self, seconds: float, message: str):
        self.seconds, self.message = seconds, message

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, *_: object) -> None:
        raise TimeLimit(self.message)
