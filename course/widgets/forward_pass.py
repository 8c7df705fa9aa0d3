"""The stages of a decoder's forward pass: what made each, where that stands in a picture, the sum of each cell (m26).

A `Pass` holds the matrices of one pass. Each stage of `stages` says how it is shown (`scene`) and what a cell of it was
made from (`explain`): the cells that entered it, and the sum written out with their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course.widgets.views import number_text

WIDTH = 1.5  # of a cell in a scene, for a height of 1
BESIDE, BETWEEN = 1.6, 1.9  # room between a product's parts, and between matrices under one another
A_LINE = 6  # terms of a sum
Cell = tuple[int, int]
Segment = dict[str, str]
Line = list[Segment]
Place = dict[str, Any]


@dataclass(frozen=True)
class Matrix:
    """One matrix with what is written at it; `signed` is False for shares from 0 to 1."""

    name: str
    label: str
    values: np.ndarray  # (rows, columns)
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    row_role: str = "plain"
    column_role: str = "plain"
    signed: bool = True
    shape: tuple[int, ...] = ()  # of the stage that it is a part of, if it is one
    symbol: str = ""

    @property
    def width(self) -> float:
        """In units of a scene."""
        return WIDTH * self.values.shape[1]

    @property
    def height(self) -> float:
        """In units of a scene."""
        return float(len(self.values))

    def record(self) -> dict[str, Any]:
        """As the view `Matrices` takes it."""
        return {
            "name": self.name, "label": self.label, "symbol": self.symbol or self.label,
            "values": self.values, "signed": self.signed,
            "shape": " \N{MULTIPLICATION SIGN} ".join(map(str, self.values.shape)), "row_labels": self.rows,
            "column_labels": self.columns, "row_role": self.row_role, "column_role": self.column_role,
        }  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What one cell was made from: rectangles of cells by matrix, and the sum, line by line."""

    lit: list[dict[str, Any]]
    lines: list[Line]


@dataclass(frozen=True)
class Scene:
    """Matrices with their places (upper left corners) and the signs between them."""

    places: list[Place]
    signs: list[dict[str, Any]]


class Pass:
    """The matrices of one forward pass: parameters under `p.`, stages, and the heads' parts of stages."""

    def __init__(
        self, p: dict[str, np.ndarray], heads: int, vocabulary: list[str], tokens: list[int],
        trace: dict[str, np.ndarray],
    ):  # fmt: skip
        self.p, self.heads, self.vocabulary, self.tokens = p, heads, vocabulary, tokens
        self.words = [vocabulary[i] for i in tokens]
        self.trace = trace
        self.matrices = {m.name: m for m in [*self._parameters(), *self._stages(), *self._heads(), self._odds()]}

    def __getitem__(self, name: str) -> Matrix:
        return self.matrices[name]

    def _parameters(self) -> Iterator[Matrix]:
        for name, values in self.p.items():
            rows = self.vocabulary if name == "embed" else []
            yield Matrix(f"p.{name}", SYMBOLS.get(name.split(".")[-1], name), np.atleast_2d(values), rows)
        yield Matrix("p.embed.T", "W_E, transposed", self.p["embed"].T, [], self.vocabulary)

    def _stages(self) -> Iterator[Matrix]:
        for name, values in self.trace.items():
            if values.ndim == 2:
                short = name.split(".", 2)[-1] if "blocks" in name else name
                role = {"query": "query", "key": "key", "value": "value"}.get(name.split(".")[-1], "plain")
                columns = self.vocabulary if name == "logits" else []
                yield Matrix(name, LABELS[short], values, self.words, columns, role, symbol=SHORT[short])

    def _heads(self) -> Iterator[Matrix]:
        """The parts of stages that belong to one head, by the stage's name and the head's number."""
        for name, values in self.trace.items():
            short = name.split(".")[-1]
            if values.ndim == 3:
                for head, part in enumerate(values):
                    label, symbol = f"{LABELS['attention.' + short]}, head {head}", head_symbol(short, head)
                    yield Matrix(f"{name}.{head}", label, part, self.words, self.words, "query", "key",
                                 short != "weights", values.shape, symbol)  # fmt: skip
            elif ".attention." in name and short in PARTS:
                yield from self._parts(name, short)

    def _parts(self, name: str, short: str) -> Iterator[Matrix]:
        role = short if short != "mix" else "plain"
        for head, part in enumerate(np.split(self.trace[name], self.heads, axis=1)):
            label, symbol = f"{PARTS[short]}, head {head}", head_symbol(short, head)
            if short == "key":
                yield Matrix(f"{name}.{head}", label, part.T, [], self.words, "plain", role, symbol=symbol)
            else:
                yield Matrix(f"{name}.{head}", label, part, self.words, [], role, symbol=symbol)

    def _odds(self) -> Matrix:
        logits = self.trace["logits"]
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        odds = shifted / shifted.sum(axis=1, keepdims=True)
        return Matrix("probabilities", "probabilities", odds, self.words, self.vocabulary, signed=False,
                      symbol="softmax")  # fmt: skip

    @property
    def chosen(self) -> int:
        """The id of the most probable token after the last."""
        return int(np.argmax(self.trace["logits"][-1]))


SYMBOLS = {
    "embed": "W_E", "position": "W_P", "w_q": "W_Q", "w_k": "W_K", "w_v": "W_V", "w_o": "W_O", "w_1": "W_1",
    "b_1": "b_1", "w_2": "W_2", "b_2": "b_2", "gain": "gain", "bias": "bias",
}  # fmt: skip
LABELS = {
    "embed": "token embeddings", "position": "position embeddings", "stream_0": "residual stream",
    "norm_1": "layer norm 1", "attention.query": "queries Q", "attention.key": "keys K", "attention.value": "values V",
    "attention.scores": "scores", "attention.masked": "masked scores", "attention.weights": "attention weights",
    "attention.mix": "mix of values", "attention.output": "attention output", "stream_1": "stream + attention",
    "norm_2": "layer norm 2", "ffn.hidden": "hidden units", "ffn.active": "after GELU", "ffn.output": "network output",
    "stream_2": "stream + network", "norm": "last layer norm", "logits": "logits",
}  # fmt: skip
SHORT = {
    "embed": "tokens", "position": "positions", "stream_0": "x", "norm_1": "norm", "attention.query": "Q",
    "attention.key": "K", "attention.value": "V", "attention.scores": "scores", "attention.masked": "masked",
    "attention.weights": "weights", "attention.mix": "mix", "attention.output": "update", "stream_1": "x + update",
    "norm_2": "norm", "ffn.hidden": "hidden", "ffn.active": "GELU", "ffn.output": "update",
    "stream_2": "x + update", "norm": "norm", "logits": "logits",
}  # fmt: skip
PARTS = {"query": "Q", "key": "K, transposed", "value": "V", "mix": "mix"}


def head_symbol(short: str, head: int) -> str:
    """The first head's symbol has the stage's name, the others stand beside it with their number alone."""
    return str(head) if head else f"{SHORT['attention.' + short]} 0"


# ---- kinds of stages ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """One stage: its name in the trace, what happens (a sentence), the matrices that it is made from."""

    name: str
    says: str
    inputs: tuple[str, ...] = ()

    def results(self, run: Pass) -> list[str]:
        """The names of the matrices that it makes: one, or one for each head."""
        return [self.name]

    def scene(self, run: Pass) -> Scene:
        """The inputs and the result under one another, column above column."""
        return stacked([run[name] for name in (*self.inputs, self.name)], self.signs)

    @property
    def sources(self) -> tuple[str, ...]:
        """The whole names of what it is made from; where that is split into heads, without the heads' numbers."""
        return self.inputs

    @property
    def signs(self) -> tuple[str, ...]:
        """What stands before each of the matrices under one another."""
        return ("",) * len(self.inputs) + ("",)

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """What a cell of a result was made from."""
        raise NotImplementedError


@dataclass(frozen=True)
class Lookup(Stage):
    """A row of a table for each token, or for each position."""

    def index(self, run: Pass, row: int) -> int:
        """The row of the table."""
        return run.tokens[row] if self.name == "embed" else row

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """The table's cell."""
        at, table = self.index(run, row), self.inputs[0]
        what = f"token \u201c{run.words[row]}\u201d has id {at}" if self.name == "embed" else f"this is position {at}"
        line = [text(f"{what}: row {at} of "), text(run[table].label, style="italic"), text(f", column {column}")]
        return Made([rectangle(table, at, column), rectangle(result, row, column)], [line])


@dataclass(frozen=True)
class Sum(Stage):
    """Two matrices added."""

    @property
    def signs(self) -> tuple[str, ...]:
        """As one writes a sum."""
        return ("", "+", "=")

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """Two cells at the same place."""
        a, b = (run[name].values[row, column] for name in self.inputs)
        line = [text(f"{number(a)} + {number(b)} = "), answer(run, result, row, column)]
        return Made([rectangle(name, row, column) for name in (*self.inputs, result)], [line])


@dataclass(frozen=True)
class Normed(Stage):
    """Layer norm with gain and bias."""

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """The whole row, for its mean and its variance; the gain and the bias of the column."""
        x, gain, bias = self.inputs
        values = run[x].values[row]
        g, b = run[gain].values[0, column], run[bias].values[0, column]
        top = [text(f"{number(values[column])} \u2212 {number(values.mean())}")]
        below = [text(f"\u221a({number(values.var())} + 0.00001)")]
        lines = [
            [text(f"the row has mean {number(values.mean())} and variance {number(values.var())}")],
            [{"fraction": [top, below]}, text(f" \u00b7 {number(g)} + {number(b)} = "),
             answer(run, result, row, column)],
        ]  # fmt: skip
        lit = [rectangle(x, row, None, run), rectangle(gain, 0, column), rectangle(bias, 0, column)]
        return Made([*lit, rectangle(result, row, column)], lines)


@dataclass(frozen=True)
class Product(Stage):
    """A matrix times a weight matrix, with or without a bias."""

    def scene(self, run: Pass) -> Scene:
        """The left factor to the left, the right one above: rows and columns meet in the result."""
        a, w, *bias = (run[name] for name in self.inputs)
        return product(a, w, run[self.name], bias[0] if bias else None)

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """A row of the left factor and a column of the right one."""
        a, w, *bias = self.inputs
        lines = terms(run[a].values[row], run[w].values[:, column], run[a].row_role, "plain")
        if bias:
            lines[-1].append(text(f" + {number(run[bias[0]].values[0, column])}"))
        lines[-1] += [text(" = "), answer(run, result, row, column)]
        lit = [rectangle(a, row, None, run), rectangle(w, None, column, run)]
        lit += [rectangle(name, 0, column) for name in bias]
        return Made([*lit, rectangle(result, row, column)], lines)


@dataclass(frozen=True)
class Headed(Stage):
    """A stage of the attention: one matrix for each head, side by side."""

    @property
    def at(self) -> str:
        """The path of the attention."""
        return self.name.rpartition(".")[0]

    @property
    def sources(self) -> tuple[str, ...]:
        """Other stages of the same attention."""
        return tuple(f"{self.at}.{name}" for name in self.inputs)

    def results(self, run: Pass) -> list[str]:
        """One for each head."""
        return [f"{self.name}.{head}" for head in range(run.heads)]

    def parts(self, run: Pass, head: int) -> list[Matrix]:
        """What a head's result is made from."""
        return [run[f"{self.at}.{name}.{head}"] for name in self.inputs]

    def one(self, run: Pass, head: int) -> Scene:
        """The scene of one head."""
        return stacked([*self.parts(run, head), run[f"{self.name}.{head}"]], ("", ""))

    def scene(self, run: Pass) -> Scene:
        """All heads side by side."""
        return beside([self.one(run, head) for head in range(run.heads)], run)

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """By the head in the result's name."""
        head = int(result.rpartition(".")[2])
        return self.explain_one(run, [m.name for m in self.parts(run, head)], result, row, column)

    def explain_one(self, run: Pass, inputs: list[str], result: str, row: int, column: int) -> Made:
        """What a cell of one head's result was made from."""
        raise NotImplementedError


@dataclass(frozen=True)
class Scores(Headed):
    """Queries times transposed keys, over sqrt(d_head)."""

    def one(self, run: Pass, head: int) -> Scene:
        """As a product."""
        return product(*self.parts(run, head), run[f"{self.name}.{head}"])

    def explain_one(self, run: Pass, inputs: list[str], result: str, row: int, column: int) -> Made:
        """The query of the row and the key of the column."""
        q, k = inputs
        d_head = run[q].values.shape[1]
        lines = terms(run[q].values[row], run[k].values[:, column], "query", "key", f"/ \u221a{d_head}")
        lines[-1] += [text(" = "), answer(run, result, row, column)]
        lit = [rectangle(q, row, None, run), rectangle(k, None, column, run), rectangle(result, row, column)]
        return Made(lit, lines)


@dataclass(frozen=True)
class Masked(Headed):
    """Minus infinity above the diagonal."""

    def explain_one(self, run: Pass, inputs: list[str], result: str, row: int, column: int) -> Made:
        """The score, or that the key comes later."""
        if column > row:
            line = [text(f"position {column} comes after position {row}: "), answer(run, result, row, column)]
        else:
            line = [text(f"position {column} is not after position {row}: the score stays, "),
                    answer(run, result, row, column)]  # fmt: skip
        return Made([rectangle(inputs[0], row, column), rectangle(result, row, column)], [line])


@dataclass(frozen=True)
class Shares(Headed):
    """Softmax over each row."""

    def explain_one(self, run: Pass, inputs: list[str], result: str, row: int, column: int) -> Made:
        """The whole row."""
        return softmax_cell(run, inputs[0], result, row, column)


@dataclass(frozen=True)
class Mixed(Headed):
    """Attention weights times values."""

    def one(self, run: Pass, head: int) -> Scene:
        """As a product."""
        return product(*self.parts(run, head), run[f"{self.name}.{head}"])

    def explain_one(self, run: Pass, inputs: list[str], result: str, row: int, column: int) -> Made:
        """The weights of the row and a column of the values."""
        weights, v = inputs
        seen = row + 1  # later tokens have weight 0
        lines = terms(run[weights].values[row, :seen], run[v].values[:seen, column], "attention", "value")
        lines[-1] += [text(" = "), answer(run, result, row, column)]
        lit = [rectangle(weights, row, None, run), rectangle(v, None, column, run), rectangle(result, row, column)]
        return Made(lit, lines)


@dataclass(frozen=True)
class Gelu(Stage):
    """GELU of each number."""

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """The cell above."""
        before = run[self.inputs[0]].values[row, column]
        line = [text(f"GELU({number(before)}) = "), answer(run, result, row, column)]
        return Made([rectangle(self.inputs[0], row, column), rectangle(result, row, column)], [line])


@dataclass(frozen=True)
class Odds(Stage):
    """Softmax of the logits."""

    def explain(self, run: Pass, result: str, row: int, column: int) -> Made:
        """The whole row."""
        return softmax_cell(run, self.inputs[0], result, row, column)


def stages(layers: int) -> list[Stage]:
    """All stages of a decoder with this many blocks, in the order of the pass."""
    found: list[Stage] = [
        Lookup("embed", "Each character is looked up in a table: its token embedding, a row of numbers.", ("p.embed",)),
        Lookup("position", "Each position has a row of its own too, whatever stands there.", ("p.position",)),
        Sum("stream_0", "Added: the residual stream. From here on, every row is one token.", ("embed", "position")),
    ]
    for layer in range(layers):
        found += block_stages(f"blocks.{layer}.", f"blocks.{layer - 1}.stream_2" if layer else "stream_0")
    last = f"blocks.{layers - 1}.stream_2" if layers else "stream_0"
    return [
        *found,
        Normed("norm", "Each row is brought to mean 0 and variance 1 once more.", (last, "p.norm.gain", "p.norm.bias")),
        Product("logits", "Each row is compared with every token's embedding: one score for each token that may come "
                "next.", ("norm", "p.embed.T")),
        Odds("probabilities", "Softmax over the row. The last row chooses the next token.", ("logits",)),
    ]  # fmt: skip


def block_stages(at: str, stream: str) -> list[Stage]:
    """The stages of one block whose path begins with `at` and which reads `stream`."""
    a, f, p = f"{at}attention.", f"{at}ffn.", f"p.{at}"
    norm_1, norm_2 = f"{at}norm_1", f"{at}norm_2"
    return [
        Normed(norm_1, "Each row is brought to mean 0 and variance 1, then scaled and shifted.",
               (stream, f"{p}norm_1.gain", f"{p}norm_1.bias")),
        Product(f"{a}query", "What does each token look for?", (norm_1, f"{p}attention.w_q")),
        Product(f"{a}key", "What can each token be found by?", (norm_1, f"{p}attention.w_k")),
        Product(f"{a}value", "What does a token pass on when it is found?", (norm_1, f"{p}attention.w_v")),
        Scores(f"{a}scores", "In each head: how well does each query (row) fit each key (column)?", ("query", "key")),
        Masked(f"{a}masked", "No token may look at a later one.", ("scores",)),
        Shares(f"{a}weights", "Softmax: each row becomes shares of 1.", ("masked",)),
        Mixed(f"{a}mix", "Each row is an average of value rows. Only here does a token receive what others hold.",
              ("weights", "value")),
        Product(f"{a}output", "The heads' mixes, side by side, are turned into an update of the stream.",
                (f"{a}mix", f"{p}attention.w_o")),
        Sum(f"{at}stream_1", "The update is added. What the stream held is still there.", (stream, f"{a}output")),
        Normed(norm_2, "Normed again, for the feed-forward network.",
               (f"{at}stream_1", f"{p}norm_2.gain", f"{p}norm_2.bias")),
        Product(f"{f}hidden", "Each row alone: one number for each hidden unit.",
                (norm_2, f"{p}ffn.w_1", f"{p}ffn.b_1")),
        Gelu(f"{f}active", "Units with a negative sum fall (nearly) silent.", (f"{f}hidden",)),
        Product(f"{f}output", "What the units that speak write into the stream.",
                (f"{f}active", f"{p}ffn.w_2", f"{p}ffn.b_2")),
        Sum(f"{at}stream_2", "Added to the stream: the block is done.", (f"{at}stream_1", f"{f}output")),
    ]  # fmt: skip


# ---- where matrices stand ----------------------------------------------------------------------------------------


def placed(matrix: Matrix, x: float, y: float, **more: Any) -> Place:
    """A matrix with its upper left corner at x, y."""
    return {"name": matrix.name, "x": x, "y": y, "rows": bool(matrix.rows), **more}


def stacked(matrices: list[Matrix], signs: tuple[str, ...]) -> Scene:
    """Under one another, each with a sign before it."""
    places, written, y = [], [], 0.0
    for matrix, sign in zip(matrices, signs, strict=True):
        y -= 1.1 if matrix.columns else 0.0
        places.append(placed(matrix, 0.0, y, columns=bool(matrix.columns)))
        if sign:
            written.append({"text": sign, "x": -2.6, "y": y - matrix.height / 2})
        y -= matrix.height + BETWEEN
    return Scene(places, written)


def product(a: Matrix, w: Matrix, result: Matrix, bias: Matrix | None = None) -> Scene:
    """The left factor beside the result, the right factor (and a bias) above it."""
    x = a.width + BESIDE + (1.0 if result.rows else 0.0)
    places, signs, y = [placed(a, 0.0, 0.0), placed(result, x, 0.0)], [], BETWEEN
    for matrix, sign in ((bias, "+"), (w, "\N{MULTIPLICATION SIGN}")):
        if matrix is None:
            continue
        y += matrix.height
        places.append(placed(matrix, x, y, columns=bool(matrix.columns)))
        signs.append({"text": sign, "x": x - 1.4, "y": y - matrix.height / 2})
        y += BETWEEN
    return Scene(places, signs)


def beside(scenes: list[Scene], run: Pass) -> Scene:
    """Several scenes side by side."""
    places, signs, x = [], [], 0.0
    for scene in scenes:
        left = min(place["x"] for place in scene.places)
        right = max(place["x"] + run[place["name"]].width for place in scene.places)
        places += [{**place, "x": place["x"] - left + x} for place in scene.places]
        signs += [{**sign, "x": sign["x"] - left + x} for sign in scene.signs]
        x += right - left + 5.0
    return Scene(places, signs)


def overview(run: Pass, layers: int) -> Scene:
    """The whole pass from left to right; the weights lie behind the stages that they make, rows to the back."""
    at = [f"blocks.{layer}." for layer in range(layers)]
    columns = [["embed", "position", "stream_0"]]
    for block in at:
        columns += [[block + name for name in names] for names in BLOCK_COLUMNS]
    columns.append(["norm", "logits", "probabilities"])
    makers = {stage.name: stage for stage in stages(layers)}
    places, x = [], 0.0
    for names in columns:
        lines = [[run[name] for name in makers[name].results(run)] for name in names]
        places += column_places(lines, makers, names, x)
        x += max(sum(m.width + HEADS_APART for m in line) - HEADS_APART for line in lines) + 5
    return Scene([{**place, "rows": False} for place in places], [])


BLOCK_COLUMNS = (
    ("norm_1", "attention.query", "attention.key", "attention.value"),
    ("attention.scores", "attention.masked", "attention.weights"),
    ("attention.mix", "attention.output", "stream_1"),
    ("norm_2", "ffn.hidden", "ffn.active"),
    ("ffn.output", "stream_2"),
)


def column_places(lines: list[list[Matrix]], makers: dict[str, Stage], names: list[str], x: float) -> list[Place]:
    """One column of the overview, centred on height 0."""
    heights = [line[0].height for line in lines]
    y = (sum(heights) + APART * (len(heights) - 1)) / 2
    places = []
    for line, name, height in zip(lines, names, heights, strict=True):
        right = x
        for matrix in line:
            places.append(placed(matrix, right, y))
            right += matrix.width + HEADS_APART
        for weight in makers[name].inputs:
            if weight.startswith("p.") and not weight.endswith((".gain", ".bias", "b_1", "b_2")):
                places.append({"name": weight, "x": x, "y": y + 0.5, "z": -0.5, "floor": True,
                               "caption": ""})  # fmt: skip
        y -= height + APART
    return places


APART, HEADS_APART = 11.0, 3.0  # between the stages of a column of the overview, and between heads side by side


def threads(scene: Scene, run: Pass, stage: Stage) -> list[dict[str, Any]]:
    """Curves of an overview from what a stage is made from to what it makes."""
    where = {place["name"]: place for place in scene.places if not place.get("floor")}
    found = []
    for source in stage.sources:
        begins = [name for name in where if name == source or name.startswith(f"{source}.")]
        found += [{"path": curve(run, where[a], where[b])} for a, b in pairs(begins, stage.results(run)) if b in where]
    return found


def pairs(begins: list[str], ends: list[str]) -> Iterator[tuple[str, str]]:
    """Head to head where both are split, else everything to everything."""
    if len(begins) == len(ends):
        yield from zip(begins, ends, strict=True)
    else:
        yield from ((a, b) for a in begins for b in ends)


def curve(run: Pass, a: Place, b: Place) -> list[list[float]]:
    """Points of a curve from one matrix to another, in front of what stands between them."""
    first, last = run[a["name"]], run[b["name"]]
    if abs(a["x"] - b["x"]) < 1:  # under one another
        x = a["x"] - 1.5
        return [[a["x"], a["y"] - first.height / 2, 1], [x - 1, (a["y"] + b["y"] - last.height) / 2, 2],
                [b["x"], b["y"] - last.height / 2, 1]]  # fmt: skip
    start, end = a["x"] + first.width, b["x"]
    if end < start:  # within a column, side by side
        start = a["x"] + first.width / 2
    middle = (start + end) / 2
    high, low = a["y"] - first.height / 2, b["y"] - last.height / 2
    return [[start, high, 1], [middle, high, 3], [middle, low, 3], [end, low, 1]]


# ---- what is written ---------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """Two decimals, in brackets below 0."""
    written = number_text(value)
    return f"({written})" if written.startswith("\N{MINUS SIGN}") else written


def text(words: str, role: str = "plain", style: str = "") -> Segment:
    """A segment of a formula."""
    return {"text": words, "role": role, "style": style}


def answer(run: Pass, result: str, row: int, column: int) -> Segment:
    """The cell's own number, with more digits."""
    return text(number_text(run[result].values[row, column], 4), style="bold")


def terms(left: np.ndarray, right: np.ndarray, left_role: str, right_role: str, after: str = "") -> list[Line]:
    """A sum of products, a few of them a line; with `after`, the whole in brackets and that behind it."""
    lines: list[Line] = [[]]
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        if i and i % A_LINE == 0:
            lines.append([])
        joint = "" if i == 0 else " + "
        lines[-1] += [text(joint), text(number(a), left_role), text("\u00b7"), text(number(b), right_role)]
    if after:
        lines[0].insert(0, text("("))
        lines[-1].append(text(f") {after}"))
    return lines


def softmax_cell(run: Pass, before: str, result: str, row: int, column: int) -> Made:
    """e to the cell over the sum of e to all cells of the row."""
    values = run[before].values[row]
    known = values[np.isfinite(values)]
    total = " + ".join(f"e^{number(v)}" for v in known[:A_LINE]) + (" + ..." if len(known) > A_LINE else "")
    cell = values[column]
    top = "e^(\u2212\u221e)" if math.isinf(cell) else f"e^{number(cell)}"
    line = [{"fraction": [[text(top)], [text(total)]]}, text(" = "), answer(run, result, row, column)]
    return Made([rectangle(before, row, None, run), rectangle(result, row, column)], [line])


def rectangle(name: str, row: int | None, column: int | None, run: Pass | None = None) -> dict[str, Any]:
    """A cell of a matrix; a whole column for row None, a whole row for column None (these need the pass)."""
    rows, columns = run[name].values.shape if run else (0, 0)
    return {
        "name": name,
        "rows": [0, rows] if row is None else [row, row + 1],
        "columns": [0, columns] if column is None else [column, column + 1],
    }
