"""From a kernel's source to a Python function that runs it, and from a running program back to its line."""

import ast
import functools
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

TO_TENSOR = "_simulator_to_tensor"  # in the globals of every function that is made here


class Line(NamedTuple):
    """A line of a kernel."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """The source of the line, as far as Python can still find it."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        return f"line {self.number}, `{self.text}`" if self.text else f"line {self.number}"


class _Tensors(ast.NodeTransformer):
    """`x = 0` and `for x in range(n)` make tensors, as in the compiler, so that x's arithmetic is that of the GPU."""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        if len(node.targets) > 1:
            raise SyntaxError(f"line {node.lineno}: Triton takes no a = b = value; write two assignments")
        node.value = _to_tensor(node.value)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        called = node.iter.func if isinstance(node.iter, ast.Call) else None
        if getattr(called, "id", getattr(called, "attr", None)) == "range":  # static_range counts in Python
            assert isinstance(node.target, ast.Name)
            variable = ast.Name(node.target.id, ast.Load())
            node.body.insert(0, ast.Assign([ast.Name(node.target.id, ast.Store())], _to_tensor(variable)))
        return node


def _to_tensor(value: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(TO_TENSOR, ast.Load()), [value], [])


def _strip(definition: ast.stmt) -> None:
    """Take away what was evaluated when the function was defined: decorators, annotations, defaults."""
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    definition.returns = None
    arguments = definition.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [default and ast.Constant(None) for default in arguments.kw_defaults]


@functools.lru_cache(maxsize=1024)
def _compile(function: FunctionType) -> CodeType:
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        raise OSError(
            f"the source of {function.__name__} is gone, so it cannot be simulated: define it again"
        ) from error
    tree = ast.parse(textwrap.dedent("".join(lines)))
    _strip(tree.body[0])
    ast.increment_lineno(tree, first - 1)
    tree = ast.fix_missing_locations(_Tensors().visit(tree))
    return compile(tree, inspect.getsourcefile(function) or "?", "exec", dont_inherit=True)


def python_function(function: FunctionType, to_tensor: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function under a @triton.jit, made to run with the patched `triton.language`.

    It gets a copy of its module's globals as they are now, so nothing is left in a student's namespace.
    """
    captured = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    namespace = function.__globals__ | {name: cell.cell_contents for name, cell in captured} | {TO_TENSOR: to_tensor}
    exec(_compile(function), namespace)
    made = namespace[function.__name__]
    made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return made


def is_kernel_code(frame: FrameType) -> bool:
    """Whether a frame runs a kernel or a helper of one, and not Triton's own."""
    return TO_TENSOR in frame.f_globals and not frame.f_globals["__name__"].startswith("triton.")


def current_line() -> Line:
    """Where the running program is: the innermost line of a kernel or helper that is not Triton's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_kernel_code(frame):
            return Line(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return Line("?", 0)
