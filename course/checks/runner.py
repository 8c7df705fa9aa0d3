"""Carry out a script on a namespace: the half of a check that touches student code.

This module runs wherever the student's code runs. It knows no expected value: it returns what came, as plain data,
and the judging side (`course.checks.judge`) decides.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from course.checks import needs, wire
from course.checks.script import Script, Step, held, is_held

Outcome = dict[str, Any]
MAX_MESSAGE = 500
NAMED = (
    "call",
    "failing",
    "items",
    "measured",
    "new",
    "simulated",
    "value",
)  # steps that begin with something of the student's
CELL_FILES = ("<string>", "<stdin>", "<ipython-input")  # where Python says that code typed into a cell comes from


def plain(value: Any) -> Any:
    """A copy of `value` as it would look on the far side of the wire; `Opaque` if it is too large for that."""
    try:
        tree, arrays = wire.take_apart(value)
    except wire.WireError as error:
        return wire.Opaque(str(error))
    return wire.put_together(tree, [a.copy() for a in arrays])


def revive(value: Any) -> Any:
    """A fresh live copy of plain data: arrays are copied, `TorchArray` becomes `torch.Tensor`."""
    if isinstance(value, wire.TorchArray):
        import torch

        return torch.from_numpy(value.array.copy()).to(getattr(torch, value.dtype))
    if isinstance(value, list | tuple):
        return type(value)(revive(v) for v in value)
    if isinstance(value, dict):
        return {k: revive(v) for k, v in value.items()}
    return value.copy() if hasattr(value, "shape") else value


def run_script(
    script: Script, namespace: dict[str, Any], watch: bool = True, handles: dict[str, Any] | None = None
) -> list[Outcome]:
    """Return one outcome per step, stopping after the first that fails. Without `watch`, changed arguments go unseen.

    An outcome is `{"value": ..., "changed": [names of arguments changed in place]}`, with `"needs"` if these were
    measured (see `course.checks.needs`), `{"missing": name}` or
    `{"raised": type name, "bases": [...], "message": ..., "where": ...}`. Objects are kept in `handles`.
    """
    handles = {} if handles is None else handles
    outcomes: list[Outcome] = []
    for step in script:
        outcomes.append(_run_step(step, namespace, handles, watch))
        if "value" not in outcomes[-1]:
            break
    return outcomes


def answer(message: dict[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    """Carry out `message["script"]` and return `{"outcomes": [...]}`.

    `message["oracle"]` holds, for each name in it, known (arguments, value) pairs of a function that replaces the
    student's own while the script runs. A call that is not among them ends the run with `{"wanted": {"name", "args"}}`.
    """
    wanted: list[dict[str, Any]] = []
    handles: dict[str, Any] = {}
    with _substituted(namespace, message["oracle"], wanted, handles), _silence():
        try:
            outcomes = run_script(message["script"], namespace, handles=handles)
        except _Wanted:
            outcomes = []
    return {"wanted": wanted[0]} if wanted else {"outcomes": outcomes}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8", errors="replace") as sink, contextlib.redirect_stdout(sink):
        yield


class _Wanted(BaseException):
    """A stand-in was called with arguments it has no answer for. Not an Exception: student code must not eat it."""


@contextlib.contextmanager
def _substituted(
    namespace: dict[str, Any], oracle: dict[str, list[Any]], wanted: list[dict[str, Any]], handles: dict[str, Any]
) -> Iterator[None]:
    absent = object()
    before = {name: namespace.get(name, absent) for name in oracle}
    namespace.update({name: _stand_in(name, known, wanted, handles) for name, known in oracle.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            namespace.pop(name, None) if value is absent else namespace.update({name: value})


def _stand_in(name: str, known: list[Any], wanted: list[dict[str, Any]], handles: dict[str, Any]) -> Callable[..., Any]:
    """An object of the script's own travels as its handle: the grader has made one like it."""
    answers = {wire.encode([args, kwargs]): answer for args, kwargs, answer in known}

    def supplied(*args: Any, **kwargs: Any) -> Any:
        arguments = [[_handle(a, handles) for a in args], {k: _handle(a, handles) for k, a in kwargs.items()}]
        key = wire.encode(arguments)
        if key not in answers:
            wanted.append({"name": name, "args": plain(arguments)})  # noted, for a bare `except:` would eat the error
            raise _Wanted(name)
        return revive(answers[key])

    supplied.__name__ = name
    return supplied


def _handle(argument: Any, handles: dict[str, Any]) -> Any:
    return next((held(name) for name, it in handles.items() if it is argument), argument)


def with_held(script: Script, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that a stand-in was called with, live: for a handle, the course's object that the script makes."""
    handles: dict[str, Any] = {}
    run_script([step for step in script if step["op"] == "given"], {}, watch=False, handles=handles)
    step = _with_objects({"args": revive(args), "kwargs": revive(kwargs)}, handles)
    return step["args"], step["kwargs"]


def _run_step(step: Step, namespace: dict[str, Any], handles: dict[str, Any], watch: bool) -> Outcome:
    named = step["op"] in NAMED or (step["op"] == "grads" and step["name"] is not None)
    if named and step["name"] not in namespace:
        return {"missing": step["name"]}
    step = _with_objects(revive(step), handles)
    before = _fingerprints(step) if watch else {}
    measured: dict[str, Any] = {}
    try:
        result = OPERATIONS[step["op"]](step, namespace, handles)
        if isinstance(result, needs.Measured):
            measured, result = {"needs": result.needs}, result.value
        result = plain(result)
    except (KeyboardInterrupt, _Wanted):
        raise
    except BaseException as error:  # SystemExit too: a wrong solution must not end the notebook
        return raised(error)
    after = _fingerprints(step) if watch else {}
    return {"value": result, "changed": [name for name in before if after[name] != before[name]], **measured}


def _with_objects(step: Step, handles: dict[str, Any]) -> Step:
    """The step with the objects themselves where its arguments name their handles."""
    args = [handles[a["handle"]] if is_held(a) else a for a in step["args"]]
    kwargs = {name: handles[a["handle"]] if is_held(a) else a for name, a in step["kwargs"].items()}
    return {**step, "args": args, "kwargs": kwargs}


def _fingerprints(step: Step) -> dict[str, bytes]:
    """Each argument's bytes by its position or name, to see which were changed in place."""
    arguments = {str(i): a for i, a in enumerate(step["args"])} | step["kwargs"]
    return {name: _fingerprint(a) for name, a in arguments.items()}


def _fingerprint(value: Any) -> bytes:
    try:
        return wire.encode(value)
    except Exception:  # student code may have put anything into an argument
        return b"no plain data"


def _call(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> Any:
    return namespace[step["name"]](*step["args"], **step["kwargs"])


def _failing(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> str:
    try:
        _call(step, namespace, handles)
    except NotImplementedError:
        raise
    except Exception as error:
        return wire.name_of(type(error))
    return "no error"


def _items(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> list[Any]:
    return list(itertools.islice(iter(_call(step, namespace, handles)), step["most"]))


def _measured(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> needs.Measured:
    return needs.with_memory(lambda: _call(step, namespace, handles), step["limits"]["peak_bytes"])


def _simulated(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> needs.Measured:
    module, _, name = step["launcher"].rpartition(".")
    launch = getattr(importlib.import_module(f"course.supplied.{module}"), name)
    return needs.with_traffic(lambda: launch(needs.kernel(namespace[step["name"]]), *step["args"], **step["kwargs"]))


def _new(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> None:
    handles[step["handle"]] = namespace[step["name"]](*step["args"], **step["kwargs"])


def _given(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> None:
    module, _, name = step["name"].rpartition(".")
    made = getattr(importlib.import_module(f"course.supplied.{module}"), name)
    handles[step["handle"]] = made(*step["args"], **step["kwargs"])


def _load(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> None:
    handles[step["handle"]].load_state_dict(step["args"][0])


def _method(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> Any:
    it = handles[step["handle"]]
    function = it if step["name"] == "__call__" else getattr(it, step["name"])
    result = function(*step["args"], **step["kwargs"])
    return None if result is it else result  # a method that returns its object is as good as one that returns nothing


def _attribute(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> Any:
    return getattr(handles[step["handle"]], step["name"])


def _grads(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> Any:
    import torch

    args = _to_differentiate(step["args"])
    function = namespace[step["name"]] if step["name"] else handles[step["handle"]]
    parameters = dict(function.named_parameters()) if isinstance(function, torch.nn.Module) else {}
    for p in parameters.values():  # of this step alone, whatever ran before
        p.grad = None
    output = function(*args, **step["kwargs"])
    _require_output(output, step["weight"])
    (output * step["weight"]).sum().backward()
    return {
        "inputs": [gradient for a in args if (gradient := _gradient(a)) is not NO_FLOATS],
        "parameters": {name: p.grad for name, p in parameters.items()},
    }


NO_FLOATS = object()


def _to_differentiate(value: Any) -> Any:
    """The same arguments, their float tensors, at whatever depth of lists and dictionaries, waiting for gradients."""
    if isinstance(value, list | tuple):
        return type(value)(map(_to_differentiate, value))
    if isinstance(value, dict):
        return {k: _to_differentiate(v) for k, v in value.items()}
    return value.requires_grad_() if _is_float_tensor(value) else value


def _gradient(value: Any) -> Any:
    """The gradients of an argument, nested as it is nested; NO_FLOATS where there is none to be had."""
    if isinstance(value, list | tuple):
        found = [g for v in value if (g := _gradient(v)) is not NO_FLOATS]
        return found or NO_FLOATS
    if isinstance(value, dict):
        named = {k: g for k, v in value.items() if (g := _gradient(v)) is not NO_FLOATS}
        return named or NO_FLOATS
    return value.grad if _is_float_tensor(value) else NO_FLOATS


def _is_float_tensor(value: Any) -> bool:
    import torch

    return torch.is_tensor(value) and value.is_floating_point()


def _require_output(output: Any, weight: Any) -> None:
    """A weight must not be broadcast against an output of the wrong shape: the gradients would puzzle, not tell."""
    import torch

    if not torch.is_tensor(output):
        raise TypeError(f"the output should be a torch.Tensor, but it is of type {wire.name_of(type(output))}")
    if torch.is_tensor(weight) and weight.ndim and weight.shape != output.shape:
        raise ValueError(f"the output should have shape {tuple(weight.shape)}, but it has {tuple(output.shape)}")


def _value(step: Step, namespace: dict[str, Any], handles: dict[str, Any]) -> Any:
    return namespace[step["name"]]


OPERATIONS: dict[str, Callable[[Step, dict[str, Any], dict[str, Any]], Any]] = {
    "call": _call,
    "failing": _failing,
    "items": _items,
    "measured": _measured,
    "simulated": _simulated,
    "new": _new,
    "given": _given,
    "load": _load,
    "method": _method,
    "attribute": _attribute,
    "grads": _grads,
    "value": _value,
}


def raised(error: BaseException) -> Outcome:
    """The outcome of a step that ended with an error."""
    return {
        "raised": wire.name_of(type(error)),
        "bases": [wire.name_of(t) for t in type(error).__mro__],
        "message": _message(error),
        "where": _where(error),
    }


def _message(error: BaseException) -> str:
    try:
        text = str(error)[:MAX_MESSAGE]
    except Exception:
        text = "(an error whose message cannot be read)"
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair could not be printed


def _where(error: BaseException) -> str:
    """`line 7: scores = Q @ K`: the innermost line of the student's own code."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(CELL_FILES) or "ipykernel_" in frame.filename:
            return f"line {frame.lineno}: {frame.line or ''}".strip(": ")[:200]
    return ""
