"""A student's Triton kernel, cut out of the cells with all that it uses, and nothing in it that is not Triton.

Hidden grading runs this text, and no other code of the student's, in a process of its own: what the simulator counts
there is not the student's word. A kernel may hold what Triton's compiler would take, and no way out of it to Python.
Read, never run; works where Triton is not installed.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field

from course.checks import forbidden

STATEMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.While, ast.If, ast.Return, ast.Expr, ast.Pass)
EXPRESSIONS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword, ast.Name,
               ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Constant, ast.operator, ast.unaryop,
               ast.boolop, ast.cmpop, ast.expr_context, ast.arguments, ast.arg)  # fmt: skip
NAMED = {ast.Import: "import", ast.ImportFrom: "import", ast.FunctionDef: "a function inside of a kernel",
         ast.Lambda: "lambda", ast.ClassDef: "class", ast.With: "with", ast.Try: "try", ast.Raise: "raise",
         ast.Break: "break", ast.Continue: "continue", ast.Global: "global", ast.Nonlocal: "nonlocal",
         ast.Delete: "del", ast.Assert: "assert", ast.Dict: "a dictionary", ast.Set: "a set", ast.Yield: "yield",
         ast.ListComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.DictComp: "a comprehension",
         ast.SetComp: "a comprehension", ast.JoinedStr: "an f-string", ast.NamedExpr: ":=",
         ast.Starred: "*"}  # fmt: skip
BUILTINS = {"range", "min", "max", "abs", "float", "int", "bool", "len", "print"}


def _words(text: str) -> set[str]:
    return set(text.split())


LANGUAGE = _words("""
    abs add advance arange argmax argmin assume associative_scan atomic_add atomic_and atomic_cas atomic_max
    atomic_min atomic_or atomic_xchg atomic_xor broadcast broadcast_to cast cat cdiv ceil clamp constexpr cos
    cumprod cumsum debug_barrier device_assert device_print div_rn dot erf exp exp2 expand_dims fdiv flip floor
    fma full gather histogram interleave join load load_tensor_descriptor log log2 make_block_ptr
    make_tensor_descriptor max max_constancy max_contiguous maximum min minimum mul multiple_of num_programs
    permute program_id rand rand4x randint randint4x randn randn4x range ravel reduce reshape rsqrt sigmoid sin
    softmax sort split sqrt sqrt_rn squeeze static_assert static_print static_range store
    store_tensor_descriptor sub sum swizzle2d topk trans umulhi unsqueeze view where xor_sum zeros zeros_like
    bfloat16 float16 float32 float64 float8e4b15 float8e4b8 float8e4nv float8e5 float8e5b16 int1 int16 int32
    int64 int8 uint16 uint32 uint64 uint8
""")
MATH = _words("""
    abs ceil cos div_rn erf exp exp2 fdiv floor fma log log2 rsqrt sin sqrt sqrt_rn umulhi
""")
METHODS = _words("""
    T abs advance argmax argmin associative_scan broadcast_to cast cdiv ceil cos cumprod cumsum dtype element_ty
    erf exp exp2 expand_dims flip floor gather histogram load log log2 max min numel permute ravel reduce
    reshape rsqrt shape sigmoid sin softmax sort split sqrt sqrt_rn store sum to trans type value view xor_sum
""")
MODULES = {"triton": "triton", "triton.language": "tl", "math": "math", "triton.language.math": "tlmath",
           "kernels.notebook.triton": "triton", "kernels.notebook.tl": "tl", "kernels._backend.triton": "triton",
           "kernels._backend.tl": "tl"}  # fmt: skip
OURS = "import triton as _triton\nimport triton.language"  # whatever the student calls it
FROM = {"triton": {"cdiv", "next_power_of_2"}, "tl": LANGUAGE, "tlmath": MATH,
        "math": {"e", "exp", "inf", "log", "log2", "pi", "sqrt", "tau"}}  # fmt: skip
MOST_NODES = 20_000
WHAT_MAY = "A kernel may use `tl`, arithmetic, range, its own @triton.jit functions and constants."


class NotTriton(Exception):
    """The text is no Triton; the message says where and why."""


class NotSeen(Exception):
    """No cell defines the kernel in the open."""


def kernel_text(cells: list[str], name: str) -> str:
    """The kernel `name` and all that it uses, as a text that stands alone. Raises NotTriton, NotSeen."""
    if sum(map(len, cells)) > forbidden.MAX_CHARACTERS:
        raise NotTriton(f"Your code cells hold more than {forbidden.MAX_CHARACTERS:,} characters.")
    try:
        gathered = _Gathered(forbidden.read(cells))
        gathered.function(name)
        return gathered.text()
    except (RecursionError, ValueError):  # ValueError: a whole number with more digits than Python writes
        raise NotTriton("This kernel is nested too deeply, or holds too large a number.") from None


def first_foreign(cells: list[str], name: str) -> str | None:
    """What is not Triton in the kernel `name` as far as the cells show it; None if there is nothing."""
    try:
        kernel_text(cells, name)
    except NotTriton as error:
        return str(error)
    except NotSeen:
        return None
    return None


@dataclass
class _Gathered:
    """What a kernel uses, in an order that runs."""

    code: forbidden.Code
    imports: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def text(self) -> str:
        """One cell."""
        return "\n\n".join([OURS, *self.imports.values(), *self.constants.values(), *self.functions.values()]) + "\n"

    def function(self, name: str) -> None:
        """Gather a @triton.jit function."""
        if name in self.functions:
            return
        syntax = self._only(name)
        if _only_named(syntax):
            raise NotSeen(name)
        if not isinstance(syntax, ast.FunctionDef):
            raise NotTriton(f"`{name}` should be a function with @triton.jit above its def, and inside of nothing.")
        self._require_jit(syntax)
        self.functions[name] = ""  # its place; recursion ends here
        _Function(self, syntax).check()
        self.functions[name] = ast.unparse(syntax)

    def _only(self, name: str) -> ast.stmt:
        """The one statement that gives a name its meaning."""
        found = self.code.defined.get(name)
        if not found:
            raise NotSeen(name)
        if len(found) > 1:
            raise NotTriton(f"`{name}` is changed after its definition; a kernel stays as it was written.")
        return copy.deepcopy(found[0].syntax)  # it will be changed, and others read it too

    def _require_jit(self, syntax: ast.FunctionDef) -> None:
        for decorator in syntax.decorator_list:
            if self._dotted(decorator) not in ("triton.jit",):
                raise NotTriton(
                    f"`@{ast.unparse(decorator)[:60]}` above `{syntax.name}`: the check launches kernels with tiles of "
                    "its own, so the only decorator is @triton.jit."
                )
        if not syntax.decorator_list:
            raise NotTriton(f"`{syntax.name}` is plain Python: write @triton.jit above its def.")
        syntax.decorator_list = [_parsed("_triton.jit")]

    def _dotted(self, node: ast.expr) -> str:
        """`triton.jit` for however the cells write it; empty for what is no name of a module's."""
        if isinstance(node, ast.Attribute):
            stem = self.module(node.value)
            return f"{stem}.{node.attr}" if stem else ""
        alias = self.code.alias.get(node.id, "") if isinstance(node, ast.Name) else ""
        stem, _, last = alias.rpartition(".")
        return f"{MODULES[stem]}.{last}" if stem in MODULES else ""

    def module(self, node: ast.expr) -> str:
        """Our name for the module that an expression is: triton, tl, tlmath, math; empty if it is none."""
        if isinstance(node, ast.Attribute):
            inner = self.module(node.value)
            return {("triton", "language"): "tl", ("tl", "math"): "tlmath"}.get((inner, node.attr), "")
        if not isinstance(node, ast.Name) or (node.id in self.code.defined and node.id not in self.code.alias):
            return ""
        return MODULES.get(self.code.alias.get(node.id, ""), "")

    def outside(self, node: ast.Name) -> None:
        """Gather what a name means that the kernel does not define itself. Raises NotTriton."""
        name = node.id
        if name in self.code.defined:
            syntax = self._only(name)
            self.function(name) if isinstance(syntax, ast.FunctionDef) else self.constant(name, syntax)
        elif name in self.code.alias:
            self._imported(node)
        elif name not in BUILTINS:
            raise NotTriton(_foreign(node, f"`{name}`"))

    def _imported(self, node: ast.Name) -> None:
        stem, _, last = self._dotted(node).partition(".")
        if stem not in FROM or last not in FROM[stem]:
            raise NotTriton(_foreign(node, f"`{node.id}`"))
        module = {"tl": "triton.language", "tlmath": "triton.language.math"}.get(stem, stem)
        self.imports[node.id] = f"from {module} import {last} as {node.id}"

    def constant(self, name: str, syntax: ast.stmt) -> None:
        """Gather `LOG2_E = tl.constexpr(1.44)` or the like."""
        if name in self.constants:
            return
        is_one = isinstance(syntax, ast.AnnAssign) or (isinstance(syntax, ast.Assign) and len(syntax.targets) == 1)
        target = syntax.targets[0] if isinstance(syntax, ast.Assign) else getattr(syntax, "target", None)
        if not is_one or not isinstance(target, ast.Name) or syntax.value is None:
            raise NotTriton(_foreign(syntax, f"how `{name}` is defined"))
        if _only_named(syntax):
            raise NotSeen(name)
        if isinstance(syntax, ast.AnnAssign):
            _Function(self, None).expression(syntax.annotation)
        _Function(self, None).expression(syntax.value)
        self.constants[name] = ast.unparse(syntax)

    def count(self, nodes: int) -> None:
        """Raise NotTriton for more than anybody writes."""
        self.size += nodes
        if self.size > MOST_NODES:
            raise NotTriton("This kernel is too long.")


def _only_named(syntax: ast.stmt) -> bool:
    """Whether this is `name = ...`: all that can be seen of a plain script (see `course.checking`)."""
    value = syntax.value if isinstance(syntax, ast.Assign) else None
    return isinstance(value, ast.Constant) and value.value is ...


def _parsed(text: str) -> ast.expr:
    with forbidden.PARSING:
        return ast.parse(text, mode="eval").body


def _foreign(node: ast.AST, what: str) -> str:
    line = getattr(node, "lineno", None)
    place = f"Line {line} of its cell: " if line else ""
    return f"{place}{what} is not Triton. {WHAT_MAY}"


class _Function:
    """One function's text, checked node by node; a constant's value, with no function."""

    def __init__(self, gathered: _Gathered, syntax: ast.FunctionDef | None):
        self.gathered, self.syntax = gathered, syntax
        self.local: set[str] = set()

    def check(self) -> None:
        """Check the whole function. Raises NotTriton."""
        syntax = self.syntax
        assert syntax is not None
        arguments = syntax.args
        if arguments.vararg or arguments.kwarg:
            raise NotTriton(_foreign(syntax, "a parameter with *"))
        own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        nodes = list(ast.walk(syntax))
        stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for argument in own:
            self._require_own_name(argument, argument.arg)
            self._annotation(argument)
        self._outer([*arguments.defaults, *filter(None, arguments.kw_defaults)])
        syntax.returns = None
        self.local = {argument.arg for argument in own} | stored
        for statement in syntax.body:
            self.statement(statement)

    def _annotation(self, argument: ast.arg) -> None:
        """Keep `tl.constexpr`; other annotations mean nothing to Triton."""
        given = argument.annotation
        text = given.value if isinstance(given, ast.Constant) else given and ast.unparse(given)
        is_constexpr = isinstance(text, str) and text.rpartition(".")[2] == "constexpr"
        argument.annotation = _parsed("_triton.language.constexpr") if is_constexpr else None

    def _outer(self, values: list[ast.expr]) -> None:
        """Defaults are computed outside of the function."""
        for value in values:
            self.expression(value)

    def statement(self, node: ast.stmt) -> None:
        """Check a statement and all in it."""
        self.gathered.count(1)
        if isinstance(node, ast.Raise) and _is_unfinished(node):
            return
        if not isinstance(node, STATEMENTS):
            raise NotTriton(_foreign(node, NAMED.get(type(node), f"`{ast.unparse(node)[:60]}`")))
        if isinstance(node, ast.For):
            self._require_range(node)
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None) if not _ends_in_constexpr(node.annotation) else node.annotation
        for child in ast.iter_child_nodes(node):
            self.statement(child) if isinstance(child, ast.stmt) else self.expression(child)

    def _require_range(self, node: ast.For) -> None:
        called = node.iter.func if isinstance(node.iter, ast.Call) else None
        is_range = isinstance(called, ast.Name) and called.id == "range"
        is_range = is_range or self._language(called) in ("tl.range", "tl.static_range")
        if not is_range or not isinstance(node.target, ast.Name) or node.orelse:
            raise NotTriton(_foreign(node, f"`for ... in {ast.unparse(node.iter)[:60]}`"))

    def _language(self, node: ast.AST | None) -> str:
        """`tl.load`, `tlmath.exp2`, ...: a name of a module's, in our words; empty for anything else."""
        if isinstance(node, ast.Attribute) and not self._is_local(node.value):
            stem = self.gathered.module(node.value)
            return f"{stem}.{node.attr}" if stem else ""
        if isinstance(node, ast.Name) and node.id not in self.local:
            return self.gathered._dotted(node)
        return ""

    def _is_local(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.local

    def expression(self, node: ast.AST) -> None:
        """Check an expression and all in it, without recursion: it may be nested as deep as anybody likes."""
        todo: list[ast.AST] = [node]
        while todo:
            node = todo.pop()
            self.gathered.count(1)
            if not isinstance(node, EXPRESSIONS):
                raise NotTriton(_foreign(node, NAMED.get(type(node), f"`{ast.unparse(node)[:60]}`")))
            todo += self._inside(node)

    def _inside(self, node: ast.AST) -> list[ast.AST]:
        """Check one node; what is to be checked next."""
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Name):
            self._name(node)
        elif isinstance(node, ast.Constant):
            self._constant(node)
        elif isinstance(node, ast.keyword):
            self._keyword(node)
        return list(ast.iter_child_nodes(node))

    def _attribute(self, node: ast.Attribute) -> list[ast.AST]:
        known = self._language(node)
        stem, _, last = known.partition(".")
        if known:
            if last not in FROM[stem]:
                raise NotTriton(_foreign(node, f"`{ast.unparse(node)[:60]}`"))
            self._use(node)
            return []
        if node.attr not in METHODS or not isinstance(node.ctx, ast.Load):
            raise NotTriton(_foreign(node, f"`{ast.unparse(node)[-60:]}`"))
        return [node.value]

    def _use(self, node: ast.Attribute) -> None:
        """Import the module under the name by which the kernel calls it."""
        stem: ast.expr = node
        while isinstance(stem, ast.Attribute):
            stem = stem.value
        assert isinstance(stem, ast.Name)
        module = MODULES[self.gathered.code.alias[stem.id]]
        full = {"tl": "triton.language", "tlmath": "triton.language.math"}.get(module, module)
        self.gathered.imports[stem.id] = f"import {full} as {stem.id}"

    def _name(self, node: ast.Name) -> None:
        self._require_own_name(node, node.id)
        if node.id in self.local:
            return
        self.gathered.outside(node)

    def _require_own_name(self, node: ast.AST, name: str) -> None:
        """Names with two underscores belong to Python and to the simulator."""
        if name.startswith("__") or name.startswith("_simulator"):
            raise NotTriton(_foreign(node, f"`{name}`"))

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bytes | complex) or value is ...:
            raise NotTriton(_foreign(node, f"`{value!r}`"))

    def _keyword(self, node: ast.keyword) -> None:
        if node.arg is None or node.arg.startswith("_") or node.arg == "bitcast":
            raise NotTriton(_foreign(node.value, f"`{node.arg or '**'}=...`"))


def _is_unfinished(node: ast.Raise) -> bool:
    """Whether a statement is the one in a stub."""
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    given = node.exc.args if isinstance(node.exc, ast.Call) else []
    plain = all(isinstance(a, ast.Constant) for a in given)
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError" and plain and node.cause is None


def _ends_in_constexpr(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] == "constexpr"
