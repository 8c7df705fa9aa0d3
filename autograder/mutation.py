"""Mutation operators: the small faults that `autograder.mutants` puts into a right solution.

An operator looks at one node of a solution's syntax tree and yields what might stand there by mistake. Operators are
about code with arrays: axes, transposes, reductions, offsets, keys of a table of weights, as well as the classic ones.
"""

from __future__ import annotations

import ast
import builtins
import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Operator = Callable[[ast.AST, "Scope"], Iterator[ast.AST]]
OPERATORS: dict[str, Operator] = {}

BASIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
ARITHMETIC = {
    **{kind: tuple(other for other in BASIC if other is not kind) for kind in BASIC},
    ast.MatMult: (ast.Mult, ast.Add), ast.Pow: (ast.Mult, ast.Div), ast.FloorDiv: (ast.Div, ast.Mod, ast.Mult),
    ast.Mod: (ast.FloorDiv, ast.Mult), ast.BitAnd: (ast.BitOr, ast.BitXor), ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitAnd, ast.BitOr), ast.LShift: (ast.RShift,), ast.RShift: (ast.LShift,),
}  # fmt: skip
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
OPPOSITE = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
            ast.NotIn: ast.In}  # fmt: skip
COMMUTATIVE = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
# Functions that are taken for each other; each one is replaced by all others of its row.
SIBLINGS = [
    ("sum", "mean", "max", "min", "prod"), ("argmax", "argmin"), ("any", "all"), ("cumsum", "cumprod"),
    ("zeros", "ones"), ("zeros_like", "ones_like"), ("tril", "triu"), ("maximum", "minimum"), ("exp", "expm1"),
    ("log", "log2", "log1p"), ("sin", "cos"), ("sqrt", "square"), ("std", "var"), ("floor", "ceil"),
    ("vstack", "hstack"), ("relu", "gelu", "silu"), ("softmax", "log_softmax"), ("repeat", "tile"), ("tri", "eye"),
    ("outer", "inner"), ("append", "extend"), ("rand", "randn"),
]  # fmt: skip
DTYPES = ("bool", "int", "float", "float32", "float64", "int64")
WITH_OFFSET = ("tri", "tril", "triu", "eye", "diag", "diagonal")


@dataclass
class Scope:
    """The names of a solution by role: only names of one role are taken for each other."""

    lines: dict[str, int] = field(default_factory=dict)  # variable -> the line that gives it its first value
    numbers: set[str] = field(default_factory=set)
    keys: dict[str, list[str]] = field(default_factory=dict)  # table -> the strings that it is subscripted with
    attributes: list[str] = field(default_factory=list)  # of self

    def role(self, name: str) -> str:
        """`table`, `number` or `value`."""
        return "table" if name in self.keys else "number" if name in self.numbers else "value"

    def others(self, node: ast.AST, name: str) -> list[str]:
        """Variables of the same role that have a value before this node's line."""
        known = [n for n, line in self.lines.items() if line < node.lineno and n != name]
        return [n for n in known if self.role(n) == self.role(name)]


def scope_of(tree: ast.AST) -> Scope:
    """The names in a solution."""
    scope = Scope()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg != "self":
            scope.lines.setdefault(node.arg, 0)
            if node.annotation and ast.unparse(node.annotation) in ("int", "float", "bool"):
                scope.numbers.add(node.arg)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_":
            scope.lines.setdefault(node.id, node.lineno)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and _is_text(node.slice):
            keys = scope.keys.setdefault(node.value.id, [])
            keys += [node.slice.value] if node.slice.value not in keys else []
        if _of_self(node) and node.attr not in scope.attributes:
            scope.attributes.append(node.attr)
    return scope


def operator(name: str) -> Callable[[Operator], Operator]:
    """Enter a function as the mutation operator `name`."""

    def enter(function: Operator) -> Operator:
        OPERATORS[name] = function
        return function

    return enter


@operator("arithmetic operator")
def _arithmetic(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in ARITHMETIC.get(type(node.op), ()):
            yield _changed(node, op=other())


@operator("operand dropped")
def _operand_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp):
        yield node.left
        yield node.right
    if isinstance(node, ast.BoolOp):
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield rest[0] if len(rest) == 1 else _changed(node, values=rest)


@operator("operands swapped")
def _operands_swapped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and not isinstance(node.op, COMMUTATIVE):
        yield _changed(node, left=node.right, right=node.left)


@operator("comparison")
def _comparison(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        kind = type(node.ops[0])
        for other in [o for o in ORDER if o is not kind] if kind in ORDER else [OPPOSITE[kind]]:
            yield _changed(node, ops=[other()])


@operator("and/or")
def _boolean(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BoolOp):
        yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


@operator("sign or negation dropped")
def _unary_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.UnaryOp):
        yield node.operand


@operator("sign flipped")
def _sign_flipped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp):
        yield ast.UnaryOp(ast.USub(), node)


@operator("doubled")
def _doubled(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp):
        yield ast.BinOp(ast.Constant(2), ast.Mult(), node)


@operator("constant")
def _constant(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    value = number_of(node)
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        for other in dict.fromkeys([0, 1, -1, value + 1, value - 1, -value, 2 * value]):
            if other != value:
                yield _number(other)
    elif isinstance(value, float):
        others = [0.0, 1.0, -1.0, -value, 2 * value, value / 2]
        yield from (_number(v) for v in dict.fromkeys(others) if v != value)
    elif isinstance(node, ast.Attribute) and node.attr in ("inf", "pi"):
        yield from (_number(v) for v in ((1e9, 1.0, 0.0) if node.attr == "inf" else (3.0, 1.0)))


@operator("off by one")
def _off_by_one(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    counted = isinstance(node, ast.Call) and _called(node) == "len"
    sized = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    if counted or sized:
        yield from _one_more_or_less(node)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name | ast.BinOp):
        yield from (_changed(node, slice=s) for s in _one_more_or_less(node.slice))
    elif isinstance(node, ast.Slice):
        yield from _moved_slice(node)
    elif isinstance(node, ast.Call) and _called(node) == "range":
        last = min(1, len(node.args) - 1)
        for bound in _one_more_or_less(node.args[last]):
            yield _changed(node, args=[*node.args[:last], bound, *node.args[last + 1 :]])
        yield _changed(node, args=[ast.Constant(1), *node.args] if len(node.args) == 1 else node.args[1:2])


def _moved_slice(node: ast.Slice) -> Iterator[ast.AST]:
    for bound in ("lower", "upper"):
        value = getattr(node, bound)
        if value is None:
            yield _changed(node, **{bound: _number(1 if bound == "lower" else -1)})
        else:
            yield _changed(node, **{bound: None})
            yield from (_changed(node, **{bound: v}) for v in _one_more_or_less(value))


@operator("call dropped")
def _call_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and _stem(node.func) in {*scope.lines, "self", ""}:
            yield node.func.value
        yield from (a for a in node.args if not isinstance(a, ast.Starred))


@operator("keyword dropped")
def _keyword_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for i in range(len(node.keywords)):
            yield _changed(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])


@operator("argument dropped")
def _argument_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and len(node.args) > 1:
        yield _changed(node, args=node.args[:-1])


@operator("arguments swapped")
def _arguments_swapped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        yield from (_changed(node, args=args) for args in _neighbours_swapped(node.args))


@operator("argument copied")
def _argument_copied(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for i, j in itertools.permutations(range(len(node.args)), 2):
            yield _changed(node, args=[*node.args[:i], node.args[j], *node.args[i + 1 :]])


@operator("another function")
def _another_function(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        bare = isinstance(node.func, ast.Name)
        for name in (n for row in SIBLINGS if _called(node) in row for n in row if n != _called(node)):
            if not bare or hasattr(builtins, name):  # anything else would only be an unknown name
                yield _changed(node, func=_renamed(node.func, name))


@operator("offset added")
def _offset_added(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    given = isinstance(node, ast.Call) and any(k.arg in ("k", "diagonal", "offset") for k in node.keywords)
    if isinstance(node, ast.Call) and _called(node) in WITH_OFFSET and len(node.args) == 1 and not given:
        name = "offset" if _called(node) == "diagonal" else "diagonal" if _stem(node.func) == "torch" else "k"
        for k in (1, -1):
            yield _changed(node, keywords=[*node.keywords, ast.keyword(name, _number(k))])


@operator("dtype")
def _dtype(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.keyword) and node.arg == "dtype":
        for name in ("int", "float", "bool"):
            if ast.unparse(node.value).rpartition(".")[2].rstrip("_0123456789") != name:
                yield _changed(node, value=ast.Name(name, ast.Load()))
    elif isinstance(node, ast.Attribute) and node.attr in ("float32", "float64"):
        yield _changed(node, attr="float16")
        yield _changed(node, attr="int64")


@operator("transpose dropped")
def _transpose_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value


@operator("transpose added")
def _transpose_added(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield _changed(node, left=_transposed(node.left))
        yield _changed(node, right=_transposed(node.right))


@operator("another variable")
def _another_variable(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in scope.lines:
        yield from (ast.Name(n, ast.Load()) for n in scope.others(node, node.id))
    if _of_self(node):
        yield from (_changed(node, attr=a) for a in scope.attributes if a != node.attr)


@operator("another key")
def _another_key(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and _is_text(node.slice):
        others = [k for k in scope.keys[node.value.id] if k != node.slice.value]
        yield from (_changed(node, slice=ast.Constant(k)) for k in others)


@operator("subscript dropped")
def _subscript_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and not _is_text(node.slice):
        yield node.value


@operator("statement dropped")
def _statement_dropped(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Pass):
        yield ast.Pass()


@operator("another value returned")
def _another_value_returned(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return) and node.value is not None:
        known = [n for n, line in scope.lines.items() if line < node.lineno and scope.role(n) == "value"]
        items = node.value.elts if isinstance(node.value, ast.Tuple) else []
        yield from (ast.Return(v) for v in items)
        yield from (ast.Return(ast.Name(n, ast.Load())) for n in known)


@operator("order of results")
def _order_of_results(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Tuple) and len(node.elts) > 1:
        yield from (_changed(node, elts=elts) for elts in _neighbours_swapped(node.elts))


@operator("condition inverted")
def _condition_inverted(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield _changed(node, test=ast.UnaryOp(ast.Not(), node.test))


@operator("condition fixed")
def _condition_fixed(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.If | ast.IfExp):
        yield _changed(node, test=ast.Constant(True))
        yield _changed(node, test=ast.Constant(False))
    if isinstance(node, ast.comprehension):
        yield from (_changed(node, ifs=[c for c in node.ifs if c is not dropped]) for dropped in node.ifs)


@operator("another exception")
def _another_exception(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
        other = "RuntimeError" if node.exc.func.id != "RuntimeError" else "ValueError"
        yield _changed(node, exc=_changed(node.exc, func=ast.Name(other, ast.Load())))


@operator("loop cut short")
def _loop_cut_short(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.For | ast.comprehension) and not isinstance(node.iter, ast.Call):
        for ends in ((1, None), (None, -1)):
            bounds = [_number(n) if n is not None else None for n in ends]
            yield _changed(node, iter=ast.Subscript(node.iter, ast.Slice(*bounds), ast.Load()))
    if isinstance(node, ast.Break | ast.Continue):
        yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()


@operator("in place")
def _in_place(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    adds = isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.BinOp)
    if adds and ast.unparse(node.targets[0]) == ast.unparse(node.value.left):
        yield ast.AugAssign(node.targets[0], node.value.op, node.value.right)
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)


def number_of(node: ast.AST) -> int | float | bool | None:
    """The number that a constant, or minus a constant, stands for; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        inner = number_of(node.operand)
        return -inner if inner is not None and not isinstance(inner, bool) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else None


def _number(value: int | float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def _changed(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def _one_more_or_less(node: ast.expr) -> Iterator[ast.expr]:
    value = number_of(node)
    if value is not None:
        yield from (_number(value + by) for by in (1, -1))
    else:
        yield ast.BinOp(node, ast.Add(), ast.Constant(1))
        yield ast.BinOp(node, ast.Sub(), ast.Constant(1))


def _neighbours_swapped(items: list[ast.expr]) -> Iterator[list[ast.expr]]:
    for i in range(len(items) - 1):
        yield [*items[:i], items[i + 1], items[i], *items[i + 2 :]]


def _transposed(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _renamed(function: ast.expr, name: str) -> ast.expr:
    return _changed(function, **{"attr" if isinstance(function, ast.Attribute) else "id": name})


def _stem(node: ast.AST) -> str:
    """The name that a chain of attributes, calls and subscripts begins with; "" if it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _of_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
