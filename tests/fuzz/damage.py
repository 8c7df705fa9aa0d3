"""Damage notebooks at random, by a seed: bytes that flipped, JSON that means something else.

A kind of damage is a function of a random generator and a notebook, as bytes or as a tree; what it gives back may be
no notebook at all. Some keep the notebook as it was in effect: those must keep its points.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

Tree = Any
BYTES: dict[str, Callable[[random.Random, bytes], bytes]] = {}
TREES: dict[str, Callable[[random.Random, Tree], Tree]] = {}
ODD_TEXTS = [
    "", "\x00", "\ud800", "\udfff\ud800", "\u202e", "\x1b[31m", "<script>alert(1)</script>", "]]>", "graded('x')",
    "NaN", "# earns 1.0", "\N{PILE OF POO}" * 100, "%%bash\nexit 3", "!kill -9 $PPID", "raise SystemExit", "\r\n\r",
]  # fmt: skip
ODD_VALUES = [
    None, True, False, 0, -1, 1 << 70, -(10**400), 1e308, float("inf"), float("nan"), [], {}, [[]], {"": ""},
    [None] * 50, {"cell_type": "code"}, "text", *ODD_TEXTS,
]  # fmt: skip


def bytewise(function: Callable) -> Callable:
    """Register damage to a file's bytes."""
    BYTES[function.__name__] = function
    return function


def treewise(function: Callable) -> Callable:
    """Register damage to a notebook's JSON tree."""
    TREES[function.__name__] = function
    return function


def kinds() -> list[str]:
    """All kinds of damage, by name."""
    return [*BYTES, *TREES]


def damaged(kind: str, notebook: bytes, seed: int) -> bytes:
    """A notebook damaged in one way; the same for the same seed."""
    rng = random.Random(f"{kind}/{seed}")
    if kind in BYTES:
        return BYTES[kind](rng, notebook)
    tree = TREES[kind](rng, json.loads(notebook))
    return tree if isinstance(tree, bytes) else json.dumps(tree).encode("utf-8", "surrogatepass")


def _span(rng: random.Random, data: bytes, most: int) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.randint(1, most))


@bytewise
def flipped_bits(rng: random.Random, data: bytes) -> bytes:
    """A bad disk."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 10, 300])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@bytewise
def random_bytes(rng: random.Random, data: bytes) -> bytes:
    """A stretch of noise, in place of what was there or between."""
    start, end = _span(rng, data, 500)
    return data[:start] + rng.randbytes(end - start) + data[rng.choice([start, end]) :]


@bytewise
def truncated(rng: random.Random, data: bytes) -> bytes:
    """An upload that broke off; sometimes with brackets that somebody closed by hand."""
    return data[: rng.randrange(len(data))] + rng.choice([b"", b"", b'"]}]}', b"}]}"])


@bytewise
def removed_stretch(rng: random.Random, data: bytes) -> bytes:
    """Something is missing in the middle."""
    start, end = _span(rng, data, 2000)
    return data[:start] + data[end:]


@bytewise
def repeated_stretch(rng: random.Random, data: bytes) -> bytes:
    """Something is there twice."""
    start, end = _span(rng, data, 2000)
    return data[:end] + data[start:]


@bytewise
def swapped_lines(rng: random.Random, data: bytes) -> bytes:
    """A merge that went wrong."""
    lines = data.split(b"\n")
    for _ in range(rng.randint(1, 5)):
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


@bytewise
def conflict_markers(rng: random.Random, data: bytes) -> bytes:
    """A merge that nobody finished."""
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    lines[i : i + 1] = [b"<<<<<<< HEAD", lines[i], b"=======", lines[i].upper(), b">>>>>>> theirs"]
    return b"\n".join(lines)


@bytewise
def other_encoding(rng: random.Random, data: bytes) -> bytes:
    """Saved by an editor that knows better."""
    text = data.decode()
    return text.encode(rng.choice(["utf-16", "utf-32-be", "utf-8-sig", "utf-7", "cp037"]), "replace")


@bytewise
def zeros(rng: random.Random, data: bytes) -> bytes:
    """What a power cut leaves of a file."""
    start, end = _span(rng, data, 5000)
    return data[:start] + bytes(end - start) + data[end:]


@bytewise
def no_notebook(rng: random.Random, data: bytes) -> bytes:
    """Something else under that name."""
    return rng.choice([
        b"", b"null", b"[]", b"{}", b"3", b'"notebook"', b"%PDF-1.4", b"PK\x03\x04" + rng.randbytes(200), b"[" * 50_000,
        b'{"a":' * 50_000, b'{"nbformat": 4, "cells": []}', b'{"nbformat": 4, "cells": {"0": 1}}', b"9" * 10_000,
        rng.randbytes(rng.randint(1, 5000)), b'{"nbformat": 3, "worksheets": [3]}', b'{"nbformat": 4}',
    ])  # fmt: skip


def _nodes(tree: Tree) -> list[tuple[Any, Any]]:
    """Every container in the tree with each of its keys."""
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            found += [(node, key) for key in keys]
            todo += [node[key] for key in keys]
    return found


def _some(rng: random.Random, tree: Tree, most: int = 3) -> list[tuple[Any, Any]]:
    nodes = _nodes(tree)
    return rng.sample(nodes, min(len(nodes), rng.randint(1, most)))


@treewise
def swapped_types(rng: random.Random, tree: Tree) -> Tree:
    """A value of quite another type, anywhere."""
    for node, key in _some(rng, tree):
        node[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return tree


@treewise
def dropped_keys(rng: random.Random, tree: Tree) -> Tree:
    """Something is not there, anywhere."""
    for node, key in _some(rng, tree):
        if isinstance(node, dict):
            node.pop(key, None)
        elif key < len(node):
            del node[key]
    return tree


@treewise
def renamed_keys(rng: random.Random, tree: Tree) -> Tree:
    """Keys that nobody knows."""
    for node, key in _some(rng, tree):
        if isinstance(node, dict) and key in node:
            node[rng.choice([key.upper(), key + " ", "__proto__", "\ud800", *ODD_TEXTS])] = node.pop(key)
    return tree


@treewise
def exchanged_values(rng: random.Random, tree: Tree) -> Tree:
    """Two values of the notebook have changed places."""
    (one, i), (two, j) = rng.sample([(n, k) for n, k in _nodes(tree) if not isinstance(n[k], dict | list)], 2)
    one[i], two[j] = two[j], one[i]
    return tree


@treewise
def huge_strings(rng: random.Random, tree: Tree) -> Tree:
    """A text of megabytes in place of a short one."""
    texts = [(n, k) for n, k in _nodes(tree) if isinstance(n[k], str)]
    node, key = rng.choice(texts)
    node[key] = rng.choice(["x", "x\n", "é", "# ", "[", "print(1)\n"]) * rng.choice([10_000, 300_000, 2_000_000])
    return tree


@treewise
def deep_nesting(rng: random.Random, tree: Tree) -> Tree:
    """Lists in lists, as deep as a parser can bear or deeper."""
    depth = rng.choice([50, 900, 5_000, 100_000])
    node, key = rng.choice(_nodes(tree))
    node[key] = "@deep@"
    return json.dumps(tree).replace('"@deep@"', "[" * depth + "]" * depth).encode()


@treewise
def odd_metadata(rng: random.Random, tree: Tree) -> Tree:
    """nbgrader's marks say anything."""
    values = [*ODD_VALUES, 3, 1e9, "1e9", ["ch02-row_facts"], "ch02-row_facts", "ch02-project_qkv"]
    keys = ["grade", "solution", "locked", "points", "grade_id", "schema_version", "task", "checksum", "cell_type"]
    for cell in rng.sample(tree["cells"], rng.randint(1, len(tree["cells"]))):
        mark = cell.setdefault("metadata", {}).setdefault("nbgrader", {})
        for key in rng.sample(keys, rng.randint(1, len(keys))):
            mark[key] = rng.choice(values)
        if rng.random() < 0.1:
            cell["metadata"] = rng.choice(ODD_VALUES)
    return tree


@treewise
def odd_outputs(rng: random.Random, tree: Tree) -> Tree:
    """Outputs that claim marks, or are of no known form."""
    claims = [
        {"output_type": "execute_result", "data": {"text/plain": "100"}, "metadata": {}, "execution_count": 1},
        {"output_type": "stream", "name": "stdout", "text": ["100", None]}, {"output_type": "error"},
        {"output_type": 5}, "100", None, {"output_type": "display_data", "data": {"text/html": ["<b>", 7]}},
    ]  # fmt: skip
    for cell in tree["cells"]:
        cell["outputs"] = rng.choice([[rng.choice(claims) for _ in range(rng.randint(0, 4))], *ODD_VALUES])
        cell["execution_count"] = rng.choice(ODD_VALUES)
    return tree


@treewise
def copied_cells(rng: random.Random, tree: Tree) -> Tree:
    """Cells are there again, with the same names or new ones."""
    for _ in range(rng.randint(1, 8)):
        twin = copy.deepcopy(rng.choice(tree["cells"]))
        if rng.random() < 0.5:
            twin["id"] = f"twin{rng.random()}"
        tree["cells"].insert(rng.randrange(len(tree["cells"]) + 1), twin)
    return tree


@treewise
def many_cells(rng: random.Random, tree: Tree) -> Tree:
    """Far more cells than anybody writes."""
    cell = {"cell_type": rng.choice(["code", "markdown"]), "metadata": {}, "source": "", "id": "x", "outputs": []}
    tree["cells"] += [cell] * rng.choice([500, 3_000, 50_000])
    return tree


@treewise
def shuffled_cells(rng: random.Random, tree: Tree) -> Tree:
    """Another order."""
    rng.shuffle(tree["cells"])
    return tree


@treewise
def cells_of_other_types(rng: random.Random, tree: Tree) -> Tree:
    """Code as text, text as code, and what is neither."""
    for cell in rng.sample(tree["cells"], rng.randint(1, len(tree["cells"]))):
        cell["cell_type"] = rng.choice(["code", "markdown", "raw", "heading", "", None, 7, ["code"]])
    return tree


@treewise
def odd_sources(rng: random.Random, tree: Tree) -> Tree:
    """Texts as lists of anything, or cut in pieces."""
    for cell in rng.sample(tree["cells"], rng.randint(1, len(tree["cells"]))):
        source = cell.get("source", "")
        text = source if isinstance(source, str) else "".join(source)
        pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
        cell["source"] = rng.choice(
            [pieces, [*pieces, None, 3], [[text]], {"text": text}, text.encode().hex(), text[::-1]]
        )
    return tree


def _edited(rng: random.Random, tree: Tree, edit: Callable[[str], str]) -> Tree:
    """The tree after an edit of some cells' texts."""
    for cell in rng.sample(tree["cells"], rng.randint(1, min(5, len(tree["cells"])))):
        cell["source"] = edit("".join(cell["source"]))
    return tree


@treewise
def garbled_code(rng: random.Random, tree: Tree) -> Tree:
    """Characters of the code are others; it may still run."""

    def edit(text: str) -> str:
        letters = list(text) or ["x"]
        for _ in range(rng.choice([1, 1, 2, 5])):
            letters[rng.randrange(len(letters))] = rng.choice("()[]{}:.,=+-*/%@!<>'\"\\ \n\t01x_#")
        return "".join(letters)

    return _edited(rng, tree, edit)


@treewise
def lines_of_code_moved(rng: random.Random, tree: Tree) -> Tree:
    """Lines of the code are gone, there twice, or elsewhere."""

    def edit(text: str) -> str:
        lines = text.split("\n")
        line = lines.pop(rng.randrange(len(lines)))
        for _ in range(rng.randint(0, 2)):
            lines.insert(rng.randint(0, len(lines)), line)
        return "\n".join(lines)

    return _edited(rng, tree, edit)


@treewise
def odd_formats(rng: random.Random, tree: Tree) -> Tree:
    """Of another time."""
    tree["nbformat"] = rng.choice([0, 1, 2, 3, 4, 5, 99, -1, 4.5, "4", None, True, [4], 1 << 80])
    tree["nbformat_minor"] = rng.choice([0, 5, 99, -1, "five", None])
    return tree


@treewise
def harmless_noise(rng: random.Random, tree: Tree) -> Tree:
    """What other tools leave: more metadata, tags, attachments, other ids. The notebook stays what it was."""
    tree["metadata"] |= {"kernelspec": {"name": "ir", "language": "R"}, "widgets": {"state": {}}, "x": [1, {"y": None}]}
    for cell in tree["cells"]:
        cell["id"] = rng.choice(["same", str(rng.random()), ""])
        cell["metadata"] |= {"tags": ["skip-execution", "remove-cell"], "collapsed": True, "vscode": {"id": 1}}
        cell["attachments"] = {"a.png": {"image/png": "zzz"}}
    return tree
