"""Cells are read in several threads at once, as by the audit, which judges several answers side by side."""

import gc
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from course.checks import forbidden

LARGE = "\n".join(
    f"def f{i}(x):\n    return [x + {i} * (y - 1) for y in range({i}) if (x or (y and not {i}))]" for i in range(60)
)


@pytest.fixture
def many_switches():
    """Let threads take turns as often as they can, and also within the making of a syntax tree."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def nothing(*_):
        """A callback of the garbage collector, at which Python may go on with another thread."""

    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    gc.callbacks.append(nothing)
    yield
    gc.callbacks.remove(nothing)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


def test_cells_may_be_read_in_several_threads(many_switches):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: forbidden.read([f"{LARGE}\nlast = {i}"]), range(60)))
    assert len({id(code) for code in found}) == 60
