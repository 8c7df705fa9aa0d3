"""The engine's processes: separate from each other, gone at the end, and started again when they were killed."""

from __future__ import annotations

import gc
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from autograder.engine import ROOT, Engine, EngineError
from autograder.family import family
from autograder.limits import Limits
from course.checks.judge import StudentCodeDied
from tests.sandbox.processes import alive, children, descendants, eventually, with_mark

LIMITS = Limits(cell_seconds=20)


def shown(student, source: str) -> str:
    """What a cell's last expression shows."""
    output = student.run_cell(source)[-1]
    return output.data["text/plain"] if "data" in output else f"{output.get('ename')}: {output.get('evalue')}"


def test_a_process_for_each_submission(engine: Engine) -> None:
    """Neither names nor files of another one."""
    with engine.student(LIMITS) as ada, engine.student(LIMITS) as ben:
        assert shown(ada, "x = 1; open('mine', 'w').write('a'); import os; os.path.abspath('mine')")
        place = shown(ada, "os.path.abspath('mine')")
        assert "NameError" in shown(ben, "x")
        assert "FileNotFoundError" in shown(ben, f"open({place})")
        assert shown(ben, "import os; os.getpid()") == "1"


def test_files_lie_beside_the_notebook(engine: Engine) -> None:
    """In folders too; modules can be imported, after the standard library; nothing is written outside."""
    files = {"data/a.csv": b"1,2", "helper.py": b"answer = 42", "json.py": b"wrong = 1", "../out.txt": b"x"}
    with engine.student(LIMITS, files) as student:
        assert shown(student, "open('data/a.csv').read()") == "'1,2'"
        assert shown(student, "import helper; helper.answer") == "42"
        assert shown(student, "import json; hasattr(json, 'wrong')") == "False"
        assert (
            shown(student, "import os; sorted(os.listdir('.'))[0], os.path.exists('../out.txt')")
            == "('__pycache__', False)"
        )


@pytest.mark.slow
def test_the_limit_on_processes_is_each_ones_own(engine: Engine) -> None:
    """A fork bomb takes nothing from a submission that is graded beside it."""
    bomb = "import os, time\ncount = 0\nfor _ in range(200):\n    try:\n        pid = os.fork()\n    except OSError:\n"
    bomb += "        break\n    if pid == 0:\n        time.sleep(20)\n        os._exit(0)\n    count += 1\ncount"
    with engine.student(LIMITS) as ada, engine.student(LIMITS) as ben:
        assert int(shown(ada, bomb)) < 64
        assert "returncode=0" in shown(ben, "import subprocess; subprocess.run(['true'])")


@pytest.mark.slow
def test_many_busy_processes_step_back(engine: Engine) -> None:
    """They would take a minute of processor time from whoever is graded beside them; a few are nobody's trouble."""
    spin = (
        "import os\nfor _ in range({}):\n    if os.fork() == 0:\n        while True: pass\n__import__('time').sleep(2)"
    )
    with engine.student(LIMITS) as ada, engine.student(LIMITS) as ben:
        ada.run_cell(spin.format(40))
        ben.run_cell(spin.format(4))
        crowd = family(ada._process.memory.pid)
        assert len(crowd) == 41
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in crowd} == {19}
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in family(ben._process.memory.pid)} == {own}


def leaks(engine: Engine) -> dict[str, object]:
    """What must be the same before and after."""
    gc.collect()
    inner = children(engine.pid)[0]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "zygote's descriptors": len(os.listdir(f"/proc/{inner}/fd")),
        "processes": len(descendants(engine.pid)),
        "mounts": Path("/proc/self/mountinfo").read_text().count("\n"),
        "zygote's mounts": Path(f"/proc/{inner}/mountinfo").read_text().count("\n"),
        "temporary files": sorted(os.listdir(tempfile.gettempdir())),
        "threads": threading.active_count(),
    }


@pytest.mark.slow
def test_two_hundred_students_leave_nothing(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor, process, mount or file; some of them are killed, some leave processes behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the machine's own holds other tests' files
    cells = ["1 + 1", "import subprocess; subprocess.Popen(['sleep', '100'])", "open('x', 'wb').write(bytes(1 << 20))"]
    with engine.student(LIMITS) as student:
        student.run_cell("1")
    before = leaks(engine)
    for i in range(200):
        with engine.student(LIMITS, {"data.txt": b"x"}) as student:
            student.run_cell(cells[i % len(cells)])
            if i % 20 == 0:
                with pytest.raises(StudentCodeDied):
                    student.run_cell("import os; os._exit(1)")
    assert eventually(lambda: leaks(engine) == before), (before, leaks(engine))


@pytest.mark.slow
def test_two_threads_share_an_engine(engine: Engine) -> None:
    """Each gets its own answers, also while a third one kills its processes."""
    found: dict[int, list[str]] = {}

    def work(number: int) -> None:
        for i in range(15):
            with engine.student(LIMITS) as student:
                found.setdefault(number, []).append(shown(student, f"{number} * 1000 + {i}"))

    def die() -> None:
        for _ in range(15):
            with engine.student(LIMITS) as student, pytest.raises(StudentCodeDied):
                student.run_cell("import os; os._exit(1)")

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2)] + [threading.Thread(target=die)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == {n: [str(n * 1000 + i) for i in range(15)] for n in (1, 2)}


@pytest.mark.slow
@pytest.mark.parametrize("which", ["outer", "inner"])
def test_a_killed_zygote_costs_one_question(which: str) -> None:
    """The cell that ran has an error, the next submission has a process."""
    with Engine() as engine, engine.student(LIMITS) as student:
        assert shown(student, "x = 5; x") == "5"
        pid = engine.pid if which == "outer" else children(engine.pid)[0]
        threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
        with pytest.raises(StudentCodeDied):
            student.run_cell("import time; time.sleep(20)")
        assert shown(student, "x") == "5"  # brought back in a process of the new zygote
        assert engine.pid != pid
        with engine.student(LIMITS) as other:
            assert shown(other, "1 + 1") == "2"


@pytest.mark.slow
def test_one_that_does_not_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped zygote is no reason to wait for ever."""
    monkeypatch.setattr("autograder.engine.FORK_SECONDS", 1.0)
    with Engine() as engine:
        inner = children(engine.pid)[0]
        os.kill(inner, signal.SIGSTOP)
        with engine.student(LIMITS) as student:
            assert shown(student, "1 + 1") == "2"
        assert eventually(lambda: not alive(inner))


@pytest.mark.slow
def test_closing_ends_everything() -> None:
    """Students, what they left behind, the zygote, its temporary folder; twice does no harm."""
    mark = secrets.token_hex(8)
    engine = Engine()
    engine.start()
    place = Path(engine._places.name)
    student = engine.student(LIMITS)
    student.run_cell(
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)', '{mark}'])"
    )
    assert eventually(lambda: len(with_mark(mark)) == 1)
    all_of_it = [engine.pid, *descendants(engine.pid)]
    assert len(all_of_it) >= 4
    engine.close()
    engine.close()
    assert eventually(lambda: not any(map(alive, all_of_it)))
    assert not place.exists()
    student.close()


CRASHING = """
import sys, threading, time
from autograder.engine import Engine
engine = Engine(allow_weaker_isolation=True)
student = engine.student()
def run():
    student.run_cell('''
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)", "MARK"], start_new_session=True)
time.sleep(99)
''')
threading.Thread(target=run, daemon=True).start()
print(engine.pid, flush=True)
time.sleep(99)
"""


@pytest.mark.slow
def test_what_becomes_of_it_when_the_grader_is_killed() -> None:
    """kill -9: nobody can tidy up, and the kernel does."""
    mark = secrets.token_hex(8)
    command = [sys.executable, "-c", CRASHING.replace("MARK", mark)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as grader:
        pid = int(grader.stdout.readline())
        # The grader's own command line holds the mark too.
        assert eventually(lambda: len(with_mark(mark)) == 2)
        all_of_it = [pid, *descendants(pid)]
        assert len(all_of_it) >= 4
        grader.kill()
    assert eventually(lambda: not any(map(alive, all_of_it)) and not with_mark(mark))


def test_too_many_files_are_an_error_that_says_so(engine: Engine) -> None:
    """What no frame can hold cannot be sent; the zygote is not blamed and lives on."""
    pid = engine.pid
    with pytest.raises(EngineError, match="256 MiB"):
        engine.student(LIMITS, {f"{i}.bin": bytes(32 << 20) for i in range(9)})
    with engine.student(LIMITS) as student:
        assert shown(student, "1 + 1") == "2"
    assert engine.pid == pid


@pytest.mark.slow
def test_lower_limits_of_the_account_are_no_error() -> None:
    """A container or a cluster may allow less than we ask for: less it is."""
    code = "import resource\nfor kind in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_NOFILE):\n"
    code += "    bound = min(200, resource.getrlimit(kind)[1]) if kind == resource.RLIMIT_NOFILE else 65536\n"
    code += "    resource.setrlimit(kind, (bound, bound))\n"
    code += "from autograder.engine import Engine\nwith Engine() as e, e.student() as s:\n"
    code += "    print(s.run_cell('import resource; resource.getrlimit(resource.RLIMIT_NOFILE)')[0].data['text/plain'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.strip() == "(200, 200)", done.stderr
