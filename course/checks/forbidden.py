"""Find out which library names a student's function uses, by reading its code (never by running it).

Reading cannot see through code that hides what it calls: `exec`, `getattr`, `sys.modules`, a module that is not ours to
read. Where something is forbidden, such means are forbidden too. The code may be anything at all, so every step here
takes time in proportion to its length.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
USUAL = {"np": "numpy", "F": "torch.nn.functional"}  # where the imports are not among the cells
MAX_CHARACTERS = 400_000  # of all cells together: parsed code takes two hundred times its own room
NAME = re.compile(r"[\w.]+\?{1,2}|\?{1,2}[\w.]+")
TARGETS = re.compile(r"[\w, \t]+=\s*[%!]")
GIVEN = {"get_ipython", "display", "In", "Out", "_", "__", "___", "__name__", "__file__", "__doc__"}  # in any notebook

HIDES = "it hides what is called, and {}"
TOO_LONG = "your code cells hold more than {:,} characters, too many to see what is called, and {}"
OWN_MODULE = "the check cannot look into that module (write its code into a cell), and {}"
HIDING_BUILTINS = {"exec", "eval", "compile", "__import__", "globals", "locals", "vars", "getattr", "setattr",
                   "delattr", "get_ipython", "breakpoint", "__builtins__", "__loader__", "__spec__"}  # fmt: skip
HIDING_MODULES = {"builtins", "cffi", "cloudpickle", "codeop", "copyreg", "ctypes", "dill", "gc", "importlib",
                  "inspect", "IPython", "joblib", "marshal", "multiprocessing", "pickle", "pkgutil", "posix", "runpy",
                  "shelve", "subprocess", "sys", "zipimport", "types.FunctionType", "types.CodeType",
                  "operator.attrgetter", "operator.methodcaller", "numpy.load", "torch.load", "os.system", "os.popen",
                  "os.posix_spawn", "os.fork", "os.execv", "os.execve", "os.execvp", "os.execl", "os.spawnv",
                  "os.spawnl"}  # fmt: skip
HARMLESS = {"sys.maxsize", "sys.float_info", "sys.version_info", "sys.byteorder", "sys.exit", "sys.stdout",
            "sys.stderr", "sys.getsizeof", "sys.setrecursionlimit", "IPython.display"}  # fmt: skip
HIDING_ATTRIBUTES = {"__dict__", "__globals__", "__builtins__", "__subclasses__", "__mro__", "__bases__", "__base__",
                     "__loader__", "__code__", "__closure__", "__getattribute__", "f_globals", "f_locals", "f_back",
                     "import_module", "load_module", "exec_module", "user_ns"}  # fmt: skip
LIBRARIES = {"course", "kernels", "einops", "jaxtyping", "matplotlib", "numpy", "scipy", "torch", "tqdm", "triton",
             "typing_extensions"} | sys.stdlib_module_names  # fmt: skip


class _Statement:
    """A statement of a cell, and what stands in it: found out once, as several exercises may use it."""

    def __init__(self, syntax: ast.stmt):
        self.syntax = syntax
        self.nodes = list(ast.walk(syntax))  # what contains comes before what is contained

    @functools.cached_property
    def imports(self) -> dict[str, str]:
        """Name -> what it was imported as."""
        alias: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for a in node.names:
                    alias |= {a.asname: a.name} if a.asname else {a.name.partition(".")[0]: a.name.partition(".")[0]}
            if isinstance(node, ast.ImportFrom):
                alias |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        return alias

    @functools.cached_property
    def attributes(self) -> set[str]:
        """The `b` of each `a.b`."""
        return {node.attr for node in self.nodes if isinstance(node, ast.Attribute)}

    @functools.cached_property
    def dotted_names(self) -> set[str]:
        """The longest dotted names: `a.b.c`, but not `a.b` and `a` for it."""
        names, inside = set(), set()
        for node in self.nodes:
            if isinstance(node, ast.Name | ast.Attribute) and id(node) not in inside:
                parts = []
                while isinstance(node, ast.Attribute):
                    parts.append(node.attr)
                    node = node.value
                    inside.add(id(node))
                if isinstance(node, ast.Name):
                    names.add(".".join([node.id, *parts[::-1]]))
        return names

    @functools.cached_property
    def local(self) -> set[str]:
        """Names of a function's own: its arguments, and what is assigned in it."""
        names: set[str] = set()
        is_definition = isinstance(self.syntax, Definition)
        for node in self.nodes:
            if isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
                names.add(node.name or "")
            elif isinstance(node, ast.MatchMapping):
                names.add(node.rest or "")
            elif isinstance(node, ast.comprehension):
                names |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
            elif is_definition and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif is_definition and isinstance(node, Definition):
                names.add(node.name)
        return names

    def bound(self) -> set[str]:
        """Names that it gives a meaning, or adds to."""
        names = set()
        for node in self.nodes:
            if isinstance(getattr(node, "ctx", None), ast.Store):
                names.add(_stem(node))
            elif isinstance(node, Definition):
                names.add(node.name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
                names |= {_stem(a) for a in node.args[:1]}
        return names - {""}

    def stars(self) -> set[str]:
        """Modules of which it imports everything."""
        return {n.module or "" for n in self.nodes if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"}


@dataclass
class Code:
    """All cells, read: what each name stands for, where it is defined, which modules came by a star."""

    alias: dict[str, str] = field(default_factory=lambda: dict(USUAL))
    defined: dict[str, list[_Statement]] = field(default_factory=dict)
    stars: set[str] = field(default_factory=set)
    uses: dict[str, _Uses] = field(default_factory=dict)  # what was found out for a start

    def root(self, name: str) -> str:
        """What the first part of a dotted name stands for, up to its first dot."""
        stem = name.partition(".")[0]
        return self.alias.get(stem, stem).partition(".")[0]

    def define(self, name: str, statements: list[_Statement]) -> None:
        """From here on a name means this, whatever it meant before."""
        self.alias.pop(name, None)
        self.defined[name] = statements


@dataclass
class _Uses:
    """What a function uses, directly or through other definitions."""

    imported: set[str] = field(default_factory=set)  # dotted names that begin with a module
    plain: set[str] = field(default_factory=set)  # other names that no cell defines
    attributes: set[str] = field(default_factory=set)


def names_used(cells: list[str], start: str) -> set[str]:
    """Dotted names that the function or class `start` uses, directly or through other definitions in the cells.

    Import aliases are resolved: `F.softmax` after `import torch.nn.functional as F` is `torch.nn.functional.softmax`.
    A name is looked up as defined last. Cells that do not parse are left out, as they cannot have run.
    """
    uses = _uses(read(cells), start)
    return uses.imported | uses.plain


def first_forbidden(cells: list[str], start: str, forbids: dict[str, str]) -> tuple[str, str] | None:
    """The first name that `start` uses though it is forbidden (or lies inside of what is), and why; else None."""
    why = next(iter(forbids.values()))
    if sum(map(len, cells)) > MAX_CHARACTERS:
        return start, TOO_LONG.format(MAX_CHARACTERS, why)
    uses = _uses(read(cells), start)
    inside = {part for name in uses.imported for part in _endings(name)} | uses.plain
    for name, reason in forbids.items():
        if any(_within(used, name) for used in inside):
            return name, reason
    hidden = uses.plain & HIDING_BUILTINS | uses.attributes & HIDING_ATTRIBUTES
    hidden |= {name for name in inside if _hides(name)}
    if hidden:
        return min(hidden), HIDES.format(why)
    foreign = {name for name in uses.imported if name.partition(".")[0] not in LIBRARIES}
    return (min(foreign), OWN_MODULE.format(why)) if foreign else None


def first_within(cells: list[str], start: str, modules: tuple[str, ...]) -> str | None:
    """The first name in one of `modules` that `start` uses in the open; too much code to read counts as none."""
    if not any(module.partition(".")[0] in cell for cell in cells for module in modules):
        return None
    if sum(map(len, cells)) > MAX_CHARACTERS:
        return None
    used = names_used(cells, start)
    return min((name for name in used if any(_within(name, module) for module in modules)), default=None)


def first_unseen(cells: list[str], start: str) -> str | None:
    """A name that `start` needs (perhaps itself) and that no cell defines: if it works, it came some other way."""
    code = read(cells)
    if start not in code.defined and start not in code.alias:
        return start
    stems = {name.partition(".")[0] for name in _uses(code, start).plain}
    return min(stems - set(dir(builtins)) - GIVEN, default=None)


def _within(used: str, name: str) -> bool:
    return f"{used}.".startswith(f"{name}.")


def _hides(name: str) -> bool:
    return any(_within(name, m) for m in HIDING_MODULES) and not any(_within(name, m) for m in HARMLESS)


def _endings(name: str) -> Iterator[str]:
    """`a.b.c`, `b.c`, `c`: a module may be reached by way of another one that imports it."""
    parts = name.split(".")[:20]
    yield from (".".join(parts[i:]) for i in range(len(parts)))


# Before 3.11.8 Python counts how deep a syntax tree is for all threads together, and two that parse at the same time
# end in a SystemError; which warnings are ignored is of the whole process in any version.
PARSING = threading.Lock()


def read(cells: list[str]) -> Code:
    return _read_once(tuple(cells))


@functools.lru_cache(maxsize=1)  # one submission's exercises are judged one after the other, on the same cells
def _read_once(cells: tuple[str, ...]) -> Code:
    code = Code()
    for tree in filter(None, map(_parsed, cells)):
        for statement in tree.body:
            _note(_Statement(statement), code)
    return code


def _parsed(cell: str) -> ast.Module | None:
    """A cell's statements. IPython's own lines (`%time f()`, `!ls`, `x?`) are passed over, and so is its `await`."""
    return _syntax_tree(cell) or _syntax_tree("\n".join(map(_without_magic, cell.split("\n"))))


def _syntax_tree(text: str) -> ast.Module | None:
    try:
        with PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(text, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _without_magic(line: str) -> str:
    bare = line.strip()
    is_magic = bare[:1] in ("%", "!") or TARGETS.match(bare) or NAME.fullmatch(bare)
    return line[: len(line) - len(line.lstrip())] + "pass" if is_magic else line


def _note(statement: _Statement, code: Code) -> None:
    """Enter a statement under each name that it defines (`def f`, `f = ...`) or adds to (`Block.forward = ...`)."""
    syntax = statement.syntax
    code.stars |= statement.stars()
    if isinstance(syntax, Definition):
        code.define(syntax.name, [statement])
        return
    for name, module in statement.imports.items():
        code.alias[name] = module
        code.defined.pop(name, None)
    if isinstance(syntax, ast.Assign | ast.AnnAssign):
        for target in syntax.targets if isinstance(syntax, ast.Assign) else [syntax.target]:
            if isinstance(target, ast.Name):
                code.define(target.id, [])
    for name in statement.bound():
        code.defined.setdefault(name, []).append(statement)
        if code.root(name) != name:  # `np.f = ...` adds to numpy, under whatever name it is used
            code.defined.setdefault(code.root(name), []).append(statement)


def _uses(code: Code, start: str) -> _Uses:
    """What `start` uses, found out once."""
    if start not in code.uses:
        code.uses[start] = _followed(code, start)
    return code.uses[start]


def _followed(code: Code, start: str) -> _Uses:
    """Go from the statements that define `start` to those that define what these use, and so on."""
    uses, seen = _Uses(), {""}
    todo = _sort(start, set(), {}, code, uses)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for statement in code.defined.get(name, []):
            uses.attributes |= statement.attributes
            for used in statement.dotted_names:
                todo += _sort(used, statement.local, statement.imports, code, uses)
    return uses


def _sort(used: str, local: set[str], inner: dict[str, str], code: Code, uses: _Uses) -> list[str]:
    """Enter a used name where it belongs; return the names whose definitions are to be read next."""
    stem, dot, rest = used.partition(".")
    module = inner.get(stem) or (None if stem in local else code.alias.get(stem))
    if module:
        uses.imported.add(module + dot + rest)
        return [stem, module.partition(".")[0]]
    if stem in local:
        return []
    if stem not in code.defined:
        stars = [] if hasattr(builtins, stem) else [s for s in code.stars if _may_hold(s, stem)]
        uses.imported |= {f"{star}.{used}" for star in stars}
        uses.plain |= set() if stars else {used}
    return [stem]


def _may_hold(module: str, name: str) -> bool:
    """Whether a name that no cell defines may have come with `from module import *`."""
    return module not in sys.modules or hasattr(sys.modules[module], name)


def _stem(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
