"""Code that loops, dies, floods or raises: it loses its own points, says why, and the rest is still graded."""

from __future__ import annotations

import pytest

from tests.grading.classroom import Classroom, full_points, solved

pytestmark = pytest.mark.slow
LESSON = "ch02_scaled_dot_product"
ATTENTION = "ch02.scaled_dot_product_attention"
SIGNATURE = "def scaled_dot_product_attention(q, k, v):\n"

IN_A_FUNCTION = {
    "endless loop": ("while True: pass", "took longer than 3 s. Is there a loop that does not end?"),
    "loop that cannot be interrupted": (
        "import signal\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\n    while True: pass",
        "Your code",
    ),
    "waits for a lock": ("import threading\n    lock = threading.Lock()\n    with lock: lock.acquire()", "took longer"),
    "os._exit": ("import os\n    os._exit(0)", "Your code ended the Python process."),
    "abort": ("import os\n    os.abort()", "Your code ended the Python process."),
    # The first process of a namespace is out of reach of its own signals: nothing happens.
    "kill": ("import os\n    os.kill(os.getpid(), 9)", "but it is None"),
    "SystemExit": ("raise SystemExit('bye')", "Your code raised SystemExit: bye"),
    "sys.exit": ("import sys\n    sys.exit()", "Your code raised SystemExit"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "Your code"),
    "endless recursion": ("return scaled_dot_product_attention(q, k, v)", "Your code raised RecursionError"),
    "asks for input": ("return input('answer? ')", "Your code raised"),
    "too large a result": ("return np.broadcast_to(0.0, (10**6, 10**6)), 0", "value of more than 256 MiB"),
    "a self-made error class": ("raise type('Oh</b>', (Exception,), {})('<i>no</i>')", "Oh</b>: <i>no</i>"),
}

IN_A_CELL = {
    "endless loop": ("while True: pass", "not defined"),
    "endless printing": ("while True: print('and on')", "not defined"),
    "os._exit": ("import os\nos._exit(0)", "not defined"),
    "SystemExit": ("raise SystemExit", "not defined"),
    "error": ("raise RuntimeError('broken')", "not defined"),
    "syntax error": ("def (:", "not defined"),
    "magic that is none": ("%nonsense", "not defined"),
}


@pytest.mark.parametrize(("body", "words"), IN_A_FUNCTION.values(), ids=IN_A_FUNCTION)
def test_in_a_function(classroom: Classroom, request: pytest.FixtureRequest, body: str, words: str) -> None:
    """Only this function's points are lost."""
    answers = solved(LESSON) | {ATTENTION: f"{SIGNATURE}    {body}"}
    graded = classroom.graded(request.node.callspec.id.replace(" ", "-"), LESSON, answers, slim=True)
    assert graded.scores == full_points(LESSON) | {ATTENTION: 0.0}
    assert words in graded.said[ATTENTION]
    assert "Traceback" not in graded.said[ATTENTION]


@pytest.mark.parametrize(("text", "words"), IN_A_CELL.values(), ids=IN_A_CELL)
def test_in_a_cell(classroom: Classroom, request: pytest.FixtureRequest, text: str, words: str) -> None:
    """A cell that does not end well defines nothing; the cells after it are run and graded."""
    answers = solved(LESSON) | {ATTENTION: text}
    graded = classroom.graded(f"cell-{request.node.callspec.id}".replace(" ", "-"), LESSON, answers, slim=True)
    assert graded.scores == full_points(LESSON) | {ATTENTION: 0.0}
    assert words in graded.said[ATTENTION]


def test_an_error_after_the_definition_costs_nothing(classroom: Classroom) -> None:
    """The function is there; that its author then tried it out wrongly is no mistake of the function."""
    answers = {i: f"{text}\n1 / 0" for i, text in solved(LESSON).items()}
    assert classroom.graded("tries-out", LESSON, answers, slim=True).scores == full_points(LESSON)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_of_output_costs_nothing(classroom: Classroom, stream: str) -> None:
    """5 MB from a cell and from a function: the points stay, and the feedback page stays small."""
    flood = f"import sys\nfor _ in range(5): print('x' * 1_000_000, file=sys.{stream})\n"
    inside = "".join(f"    {line}\n" for line in flood.splitlines())
    text = flood + solved(LESSON)["ch02.project_qkv"].replace('    """Project', f'{inside}    """Project', 1)
    graded = classroom.graded(f"flood-{stream}", LESSON, solved(LESSON) | {"ch02.project_qkv": text}, slim=True)
    assert graded.scores == full_points(LESSON)
    assert len(graded.feedback) < 1_000_000


def test_everything_crashes(classroom: Classroom) -> None:
    """Each function ends the process: 0 points with a reason each, and questions are still graded."""
    answers = dict(solved(LESSON))
    dead = [i for i in answers if not i.endswith(("row_facts", "why_scale"))]
    for i in dead:
        answers[i] = f"import os\ndef {i.partition('.')[2]}(*args):\n    os._exit(1)"
    graded = classroom.graded("all-exit", LESSON, answers, slim=True)
    assert graded.scores == full_points(LESSON) | dict.fromkeys(dead, 0.0)
    assert all("ended the Python process" in graded.said[i] for i in dead)
