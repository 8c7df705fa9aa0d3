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
