"""Triton exists for Linux only; elsewhere there is nothing to test here."""

import importlib.util

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["test_*.py", "simulator/*"]


@pytest.fixture(autouse=True)
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton as it is: a widget that another test of this process showed may have installed the simulator."""
    from triton.runtime import interpreter
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import JITFunction

    for kind in (JITFunction, interpreter.InterpretedFunction, Autotuner):
        if hasattr(kind.run, "simulates"):
            monkeypatch.setattr(kind, "run", kind.run.__wrapped__)
