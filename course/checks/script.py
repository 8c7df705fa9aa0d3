"""Scripts: what a check asks of a student's object, as plain data.

A script is a list of steps. Each step is a dictionary that the runner (`course.checks.runner`) carries out on a
namespace; because it is data, the same script can be run on the student's code, on a reference and on every known
misconception, in this process or in another one.
"""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]
Script = list[Step]


def call(name: str, *args: Any, **kwargs: Any) -> Step:
    """Call the function `name`."""
    return {"op": "call", "name": name, "args": list(args), "kwargs": kwargs}


def items(name: str, *args: Any, most: int, **kwargs: Any) -> Step:
    """Call the function `name`, and take at most `most` items of the iterator that it returns; the value is a list."""
    return {"op": "items", "name": name, "most": most, "args": list(args), "kwargs": kwargs}


def failing(name: str, *args: Any, **kwargs: Any) -> Step:
    """Call the function `name`, which should raise; the value is the error's type by name, and the script goes on.

    So the next step can see what the failure left behind. If nothing is raised, the value is "no error".
    """
    return {"op": "failing", "name": name, "args": list(args), "kwargs": kwargs}


def measured(name: str, *args: Any, most_mb: float, advice: str = "", **kwargs: Any) -> Step:
    """Call the function `name`, and measure the memory that it holds at its peak beside its arguments, in 10^6 bytes.

    Judged are its value and that it needs no more than `most_mb`. NumPy's arrays are counted exactly, all that live at
    once; of torch's only the largest. Hidden grading also looks from outside (`outside_mb`), which no code can talk out
    of: give one case whose wasteful solution holds a lot more than that. `advice` follows the figures in the message.
    """
    limits = {"peak_bytes": int(most_mb * 1e6)}
    return {"op": "measured", "name": name, "limits": limits, "advice": advice, "args": list(args), "kwargs": kwargs}


OUTSIDE_MB = 192  # what a notebook may hold besides: its own data, arguments, results on their way


def outside_mb(script: Script) -> int | None:
    """MiB that a process may hold beyond what it began with while it answers a script; None if it says nothing."""
    most = [step["limits"]["peak_bytes"] for step in script if step["op"] == "measured"]
    return OUTSIDE_MB + max(most) // 1_000_000 if most else None


def simulated(
    name: str, launcher: str, *args: Any, limits: dict[str, int] | None = None, advice: dict[str, str] | None = None,
    **kwargs: Any,
) -> Step:  # fmt: skip
    """Have the course's `launcher`, such as `m22.launch_rows`, launch the Triton kernel `name`, in the simulator.

    The launcher is called with the kernel and the arguments; its value is judged. `limits` on what all launches
    together moved ("bytes", or "read", "written") and on the tiles that one program held ("tile_bytes"): count whole
    tiles. `advice` on each limit follows the figures in the message. An exercise's reference is no kernel: it is called
    with the arguments, and gives what the launcher should.
    """
    return {
        "op": "simulated", "name": name, "launcher": launcher, "limits": limits or {}, "advice": advice or {},
        "args": list(args), "kwargs": kwargs,
    }  # fmt: skip


def about_kernels(script: Script) -> bool:
    """Whether a script simulates kernels."""
    return any(step["op"] == "simulated" for step in script)


def for_reference(script: Script) -> Script:
    """The script as a reference is asked: it is called, and neither measured nor launched."""
    return [{**step, "op": "call"} if step["op"] in ("measured", "simulated") else step for step in script]


def new(name: str, *args: Any, handle: str = "it", **kwargs: Any) -> Step:
    """Make an object of the class `name` and keep it under `handle`; its value is None."""
    return {"op": "new", "name": name, "handle": handle, "args": list(args), "kwargs": kwargs}


def given(name: str, *args: Any, handle: str = "it", **kwargs: Any) -> Step:
    """Make an object of the course's own class `name`, such as `ch08.KVCache`, and keep it; its value is None.

    What works on such an object is then judged by itself, whatever became of the student's own class.
    """
    return {"op": "given", "name": name, "handle": handle, "args": list(args), "kwargs": kwargs}


def held(handle: str = "it") -> dict[str, str]:
    """Not a step but an argument: the object kept under `handle`."""
    return {"op": "held", "handle": handle}


def is_held(value: Any) -> bool:
    """Whether an argument stands for an object kept under a handle."""
    return isinstance(value, dict) and value.get("op") == "held"


def load(state: dict[str, Any], handle: str = "it") -> Step:
    """Load parameters into the `nn.Module` kept under `handle`; names and shapes must match."""
    return {"op": "load", "handle": handle, "args": [state], "kwargs": {}}


def method(name: str, *args: Any, handle: str = "it", **kwargs: Any) -> Step:
    """Call a method of the object kept under `handle`; `"__call__"` calls the object itself."""
    return {"op": "method", "name": name, "handle": handle, "args": list(args), "kwargs": kwargs}


def attribute(name: str, handle: str = "it") -> Step:
    """Read an attribute of the object kept under `handle`."""
    return {"op": "attribute", "name": name, "handle": handle, "args": [], "kwargs": {}}


def grads(weight: Any, *args: Any, name: str | None = None, handle: str = "it", **kwargs: Any) -> Step:
    """Gradients of `sum(output * weight)` for a function `name`, or for the module under `handle` if `name` is None.

    The value is `{"inputs": [...], "parameters": {...}}`; an input that got no gradient is None, one that is a
    dictionary or a list of tensors gets its gradients nested in the same way.
    """
    return {"op": "grads", "name": name, "handle": handle, "weight": weight, "args": list(args), "kwargs": kwargs}


def value(name: str) -> Step:
    """Read the variable `name`, as the answers of check questions are."""
    return {"op": "value", "name": name, "args": [], "kwargs": {}}
