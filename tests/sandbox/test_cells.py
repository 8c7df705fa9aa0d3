"""Ordinary cells show in the sandbox what they show in Jupyter; where they do not, it is listed with the reason."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.notebooknode import NotebookNode

from autograder import outputs
from autograder.engine import Engine
from autograder.limits import Limits

pytestmark = pytest.mark.slow
FILES = {"helper.py": b"answer = 42\n", "data/table.csv": b"a,b\n1,2\n"}
# Each cell runs after the ones above it, as in a notebook. Compared is what a page may show of it
# (autograder.outputs): of a widget, a vector picture, Markdown or JSON only the text form is left, whoever ran it.
ALIKE = r"""
## print
print('a', 1, end='!')
print('b')
## nothing
x = 5
## expression
x + 1
## semicolon
x;
## last results
_, __
## stdout and stderr
import sys
print('out')
print('err', file=sys.stderr)
print('more')
## display
from IPython.display import HTML, Image, Latex, Markdown, clear_output, display
display('a', 2, [3])
## rich display
display(HTML('<b>bold</b><script>x</script>'))
## repr_html
class Frame:
    def _repr_html_(self):
        return '<style>td{}</style><table><tr><td>1</td></tr></table>'
Frame()
## mimebundle
class Many:
    def _repr_mimebundle_(self, **_):
        return {'text/plain': 'many', 'application/json': {'a': 1}}
Many()
## figure
import matplotlib.pyplot as plt
plt.plot([1, 3, 2]); plt.title('t'); plt.show()
print('after')
## figure at the end
fig, ax = plt.subplots(figsize=(2, 1))
ax.bar([1, 2], [3, 4])
## await
import asyncio
async def three():
    await asyncio.sleep(0.01)
    return 3
await three()
## gather
await asyncio.gather(three(), three())
## time
%time sum(range(10))
## timeit
%timeit -n1 -r1 1
## bash
%%bash
echo hello
echo oops >&2
## shell
!echo hello; echo $((1 + 1))
## shell with output kept
lines = !echo one; echo two
lines
## shell that fails
!exit 3
## warning
import warnings
warnings.warn('careful')
## logging
import logging
logging.getLogger('own').warning('watch out')
## tqdm
from tqdm import tqdm
for _ in tqdm(range(2), ncols=40): pass
## carriage returns
for i in range(3):
    print(f'\r{i}', end='')
## error
def inner(): return 1 / 0
inner()
## error in a helper
import json
json.loads('{')
## syntax error
x = = 1
## indentation error
def f():
pass
## name error
undefined_name
## assertion
assert x == 6, 'x is not 6'
## keyboard interrupt
raise KeyboardInterrupt
## system exit
raise SystemExit('bye')
## sys.exit
import sys
sys.exit(2)
## unknown magic
%no_such_magic
## pool
from multiprocessing import Pool
def square(n): return n * n
with Pool(2) as pool: print(pool.map(square, [1, 2, 3]))
## executor
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2) as e: print(list(e.map(square, [4, 5])))
## data loader
import torch
from torch.utils.data import DataLoader
[b.tolist() for b in DataLoader(torch.arange(6), batch_size=3, num_workers=2)]
## training
layer = torch.nn.Linear(2, 1)
layer(torch.ones(4, 2)).sum().backward()
layer.bias.grad
## subprocess
import subprocess
subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout
## threads
import threading
t = threading.Thread(target=print, args=('from a thread',))
t.start(); t.join()
## temporary file
import tempfile
with tempfile.NamedTemporaryFile('w+') as f:
    f.write('abc'); f.seek(0)
    print(f.read())
## files
open('out.txt', 'w').write('kept')
open('out.txt').read(), open('data/table.csv').read()
## own module
import helper
helper.answer
## writefile and run
%%writefile tool.py
TOOL = 'hammer'
## run
import tool
tool.TOOL
## clear output
print('gone')
clear_output()
print('stays')
## clear output later
print('gone')
clear_output(wait=True)
print('stays')
## update a display
handle = display('first', display_id='one')
handle.update('second')
## capture
%%capture kept
print('hidden')
## captured
kept.stdout
## help
help(len)
## who
%who_ls int
## environment
import os
os.environ['NEW'] = '1'
!echo $NEW
## numpy
import numpy as np
np.set_printoptions(precision=2)
np.arange(4).reshape(2, 2) / 3
## big output
print('x' * 200_000)
## unicode
print('é 世界 🎉 \x1b[31mred\x1b[0m')
## type hints
def typed(a: int | None = None) -> list[int]: return [a or 0]
typed(2)
## inspect source
import inspect
print(inspect.getsource(typed))
## dataclass
from dataclasses import dataclass
@dataclass
class Point:
    x: int
Point(1)
## recursion
def down(n): return down(n + 1)
try:
    down(0)
except RecursionError as e: print(type(e).__name__)
## matplotlib widget off
%matplotlib inline
plt.rcParams['figure.dpi'] > 0
## magic in a loop
for n in (1, 2):
    !echo {n}
## get_ipython
get_ipython().run_line_magic('pwd', '') == os.getcwd()
## shared memory
from multiprocessing import shared_memory
s = shared_memory.SharedMemory(create=True, size=8)
s.close(); s.unlink()
## widget
import ipywidgets
ipywidgets.IntSlider(3)
## anywidget
import anywidget
class Own(anywidget.AnyWidget):
    _esm = 'export default {}'
Own()
## notebook progress bar
from tqdm.notebook import tqdm as bar
for _ in bar(range(2)): pass
## queue of tensors
import torch.multiprocessing as mp
queue = mp.SimpleQueue()
queue.put(torch.ones(2)); queue.get()
"""
# Why they show something else, and the cell.
DIFFERENT = {
    "input": (
        "the message says that notebooks are graded without anybody there",
        "input('name?')",
    ),
    "pager": (
        "Jupyter shows help in a pane of its own, which no notebook keeps; here it is printed",
        "len?",
    ),
    "output widget": (
        "what a widget would hold is printed",
        "o = ipywidgets.Output()\nwith o: print('inside')\no",
    ),
    "loop of the kernel": (
        "a loop runs only in cells that await",
        "asyncio.get_running_loop().is_running()",
    ),
    "command line": (
        "there is none, not even a kernel's",
        "import sys\nlen(sys.argv)",
    ),
    "kernel": (
        "there is no kernel",
        "type(get_ipython()).__name__",
    ),
}


def by_name(text: str) -> dict[str, str]:
    """The cells of a text in which each begins with a line `## name`."""
    parts = (part.partition("\n") for part in text.split("## ")[1:])
    return {name: source.strip("\n") for name, _, source in parts}


ALIKE_CELLS = by_name(ALIKE)
NOISE = [
    (r"\x1b\[[0-9;]*m", ""),
    (r"0x[0-9a-f]{6,}", "0x"),
    (r"[0-9.]+ ?(ns|[µμ]s|ms|s)\b", "T"),
    (r"[0-9.]+e[+-]([0-9]+ )?T|T ± T|[0-9]+(\.[0-9]+)?it/s|\d\d:\d\d[<,]\S*", "T"),
    (r"/\S*?(ipykernel_\d+/\d+|ipython-input-\d+-\w+)\S*?(?=[:\s>),])|<ipython-input-\d+-\w+>", "CELL"),
    (r"CELL\.py|\b\d{5,}\.py", "CELL"),
    (r"\r\n", "\n"),  # a terminal's line end: `!` has one in Jupyter
    (r"Cell In\s*\[\d+\]", "Cell In"),
    (r"<unknown>", "CELL"),
    (r"~?/\S*/(lib|IPython)/\S*?/?(\w+\.py)", r"\2"),
    (r"-{20,}", "---"),
    (r"█+|[ \t]+(?=\n|$)", ""),
]


def told(shown: list[NotebookNode]) -> list[tuple[str, str]]:
    """Outputs as pairs of kind and text, without what differs from run to run; streams are put together."""
    found: dict[str, str] = {}
    for output in shown:
        data = output.get("data", {})
        if output.output_type == "stream":
            found[output.name] = found.get(output.name, "") + output.text
        elif output.output_type == "error":
            found["error"] = f"{output.ename}: {output.evalue}\n" + "\n".join(output.traceback)
        else:
            kinds = " ".join(sorted(data))
            found[f"{output.output_type} {len(found)}"] = f"{kinds} {data.get('text/plain')} {data.get('text/html')}"
    return sorted((kind, _quiet(text)) for kind, text in found.items())


def _quiet(text: str) -> str:
    for pattern, instead in NOISE:
        text = re.sub(pattern, instead, text)
    return text.strip()


@pytest.fixture(scope="module")
def cells() -> dict[str, str]:
    """All cells by name; what ends a kernel comes last."""
    return {**ALIKE_CELLS, **{name: source for name, (_, source) in DIFFERENT.items()}, "exit": "exit"}


@pytest.fixture(scope="module")
def in_jupyter(cells: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What a real kernel shows."""
    folder = tmp_path_factory.mktemp("jupyter")
    for name, data in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in cells.values()])
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return {
        name: told(outputs.Page().admit([dict(o) for o in cell.outputs]))
        for name, cell in zip(cells, notebook.cells, strict=True)
    }


@pytest.fixture(scope="module")
def in_sandbox(cells: dict[str, str], engine: Engine) -> dict[str, list]:
    """What the sandbox shows."""
    with engine.student(Limits(cell_seconds=60), FILES) as student:
        return {name: told(student.run_cell(source)) for name, source in cells.items()}


@pytest.mark.parametrize("name", [*ALIKE_CELLS, "exit"])
def test_as_in_jupyter(name: str, in_jupyter: dict[str, list], in_sandbox: dict[str, list]) -> None:
    """The same outputs, but for addresses, times and places."""
    assert in_sandbox[name] == in_jupyter[name]


@pytest.mark.parametrize("name", DIFFERENT)
def test_known_differences(name: str, in_jupyter: dict[str, list], in_sandbox: dict[str, list]) -> None:
    """They are still there: this list says nothing that is not so."""
    assert in_sandbox[name] != in_jupyter[name], DIFFERENT[name][0]
