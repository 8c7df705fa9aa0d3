"""`python -m autograder.untrusted FD PLAN`: the zygote, a warm process from which each submission's is forked.

It imports what lessons use, once. It reads nothing of a submission: it passes on a socket, and the child reads.
It stays single-threaded, because a fork copies only the thread that calls it; torch and OpenBLAS must therefore never
have started a thread in it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from autograder.untrusted import channel
from autograder.untrusted.jail import Jail

MOST_SPEC = 256 << 20
WARM_UP = [
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('warm')\nplt.show()\n1 + 1",
    "import torch\ntorch.nn.Linear(2, 2)(torch.ones(1, 2)).sum().backward()",
    "import course, ipywidgets, anywidget, tqdm.auto, course.widgets, course.plots, course.carry, kernels",
    "from course.checks import sheet\nfor name in sheet.lessons():\n    course.begin(name)",
    "import matplotlib as mpl\nmpl.rcdefaults()\nlist(course.carry._modules())",
    "[getattr(course.widgets, name) for name in course.widgets.LATER]",
    "import kernels.simulator, triton, torch.utils._python_dispatch",
    "1 / 0",
]


def main() -> None:
    """Enter the jail, warm up, then fork a process for each socket that arrives."""
    control = socket.socket(fileno=int(sys.argv[1]))
    plan = json.loads(sys.argv[2])
    del sys.argv[1:]  # student code that reads a command line finds none, as in Jupyter
    jail = Jail(**plan)
    jail.enter()
    try:
        os.chdir(jail.scratch)
    except OSError as error:
        raise SystemExit(f"no place to work in ({error}); missing: {jail.missing}") from None
    _set_environment(jail.scratch)
    shell = _warm_shell()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise SystemExit(f"the zygote has {threads} threads; a fork of it could hang")
    gc.collect()
    gc.freeze()  # the children share these pages as long as nobody touches them
    control.send(b"R")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    while True:
        _, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not fds:  # the trusted process has ended: so do we, and with us everything in our pid namespace
            return
        _fork(jail, shell, control, fds[0])


def _set_environment(scratch: str) -> None:
    """Nothing of the grader's own environment, which may hold passwords."""
    os.environ.clear()
    os.environ |= {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": scratch, "TMPDIR": scratch,
        "LANG": "C.UTF-8", "MPLCONFIGDIR": f"{scratch}/.matplotlib", "IPYTHONDIR": f"{scratch}/.ipython",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "USER": "student",
    }  # fmt: skip
    tempfile.tempdir = scratch


def _warm_shell():
    import torch

    torch.set_num_threads(1)  # before any operation: a pool of threads would not survive the fork
    from autograder.untrusted import shell as cells

    shell = cells.make()
    null = os.open(os.devnull, os.O_RDWR)
    for source in WARM_UP:
        cells.run(shell, source, 120, 1, null)
    os.close(null)
    shell.reset(new_session=True)
    shell.execution_count = 1
    sys.modules["matplotlib.pyplot"].close("all")
    return shell


def _fork(jail: Jail, shell, control: socket.socket, fd: int) -> None:
    # The child waits until the trusted side holds a handle on it.
    held, hold = os.pipe()
    pid = jail.fork()
    if pid == 0:
        os.close(hold)
        os.read(held, 1)
        _become_student(jail, shell, control, fd)
    os.close(fd)
    os.close(held)
    handle = os.pidfd_open(pid)
    socket.send_fds(control, [b"P"], [handle])
    os.close(handle)
    os.close(hold)


def _become_student(jail: Jail, shell, control: socket.socket, fd: int) -> None:
    """In the child: put on the rest of the jail, and answer questions. Never returns."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        sock = socket.socket(fileno=fd)
        spec, number = channel.receive(sock, MOST_SPEC)
        try:
            captured = _locked_in(jail, spec, fd)
        except Exception as error:
            channel.send(sock, {"failed": f"{type(error).__name__}: {error}"}, number)
            return
        channel.send(sock, {"missing": jail.missing}, number)
        from autograder.untrusted import service

        service.serve(sock, shell, captured)
    finally:  # whatever happened: a student's process must not go on as a second zygote
        os._exit(0)


def _locked_in(jail: Jail, spec: dict[str, Any], fd: int) -> int:
    jail.enter_places(int(spec["limits"]["scratch_mb"]))
    _set_environment(jail.scratch)
    captured = _own_folder(jail.scratch, spec["files"])
    _close_all_but(fd, captured)
    jail.lock(spec["limits"])
    return captured


def _own_folder(scratch: str, files: dict[str, object]) -> int:
    """The folder that the notebook seems to lie in, with the submission's other files; where its output goes."""
    folder = Path(tempfile.mkdtemp(prefix="work-", dir=scratch))
    os.chdir(folder)
    for name, data in files.items():
        path = (folder / name).resolve()
        if path.is_relative_to(folder):
            with contextlib.suppress(OSError):  # a quota, or a name that no file can have
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(bytes(data))
    _find_modules_here()
    output = os.open(scratch, os.O_RDWR | os.O_TMPFILE)  # on the scratch, so that its quota holds for output too
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    return output


def _find_modules_here() -> None:
    """Modules beside the notebook can be imported, after the standard library, as Jupyter's kernel has it."""
    packages = (i for i, path in enumerate(sys.path) if Path(path).name in ("site-packages", "dist-packages"))
    sys.path.insert(next(packages, len(sys.path)), "")


def _close_all_but(*kept: int) -> None:
    """Close what the zygote had open: nothing may be inherited by accident."""
    edges = sorted({0, 1, 2, *kept})
    for low, high in zip(edges, [*edges[1:], 1 << 16], strict=True):
        os.closerange(low + 1, high)


if __name__ == "__main__":
    main()
