"""The views: pictures that show what Python computed and report what the student does.

A view holds no maths. Python sets arrays, the view repaints; the student drags, clicks, hovers or presses a key,
the view sets a trait, Python observes it. Sliders, switches and buttons are ordinary ipywidgets beside the view.

    plane = Plane(vectors=[{"name": "sat", "role": "query", "x": 1.8, "y": 1.1, "draggable": True}])
    heat = Heatmap(values=weights, row_labels=tokens, column_labels=tokens)
    plane.observe(lambda change: heat.show(values=attention(change["new"])), "vectors")

Everything is drawn by one JavaScript bundle (`static/views.js`, built from `js/`), which looks at `kind`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import traitlets as tr

STATIC = Path(__file__).parent / "static"
ROLES = ("plain", "query", "key", "value", "attention")
STYLES = ("", "italic", "bold", "sup", "sub")
REQUIRED = object()


# ---- from Python's values to what JSON can carry -----------------------------------------------------------------


def plain(array: Any) -> Any:
    """Turn an array, tensor, number or nested sequence into nested lists of floats that JSON can carry.

    NaN and the infinities, which JSON lacks, become the strings "nan", "inf" and "-inf"; None means "no value here"
    and becomes "nan". Strings already in that form pass unchanged.
    """
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    if hasattr(array, "tolist"):
        array = array.tolist()
    if isinstance(array, (list, tuple, range)):
        return [plain(item) for item in array]
    return _plain_number(array)


def _plain_number(value: Any) -> float | str:
    if value is None:
        return "nan"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise tr.TraitError(f"expected a number, got {value!r}") from None
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return number


def number_text(value: float, digits: int = 2) -> str:
    """Write a number as the views do: a true minus, never "-0.00", infinity as a symbol. For texts and formulas."""
    value = float(value)
    if math.isnan(value):
        return "NaN"
    text = "\N{INFINITY}" if math.isinf(value) else f"{abs(value):.{digits}f}"
    negative = value < 0 and text.strip("0.")
    return "\N{MINUS SIGN}" + text if negative else text


def shape_of(nested: Any) -> tuple[int, ...]:
    """Return the shape of nested lists; raises TraitError if rows have different lengths."""
    if not isinstance(nested, list):
        return ()
    shapes = {shape_of(item) for item in nested}
    if len(shapes) > 1:
        raise tr.TraitError("rows have different lengths")
    return (len(nested), *(shapes.pop() if shapes else ()))


def _nested_bools(array: Any) -> Any:
    array = array.tolist() if hasattr(array, "tolist") else array
    if isinstance(array, (list, tuple)):
        return [_nested_bools(item) for item in array]
    return bool(array)


class Array(tr.List):
    """A trait for an array of `ndim` dimensions: numbers by default, booleans with `flags=True`. [] means none."""

    def __init__(self, ndim: int, flags: bool = False):
        super().__init__([])
        self.ndim, self.convert = ndim, _nested_bools if flags else plain
        self.tag(sync=True)

    def validate(self, obj, value):
        """Convert to nested lists and check the number of dimensions."""
        where = f"{type(obj).__name__}.{self.name}"
        try:
            value = self.convert(value)
            shape = shape_of(value)
        except tr.TraitError as error:
            raise tr.TraitError(f"{where}: {error}") from None
        if shape != (0,) and len(shape) != self.ndim:
            raise tr.TraitError(f"{where} needs {self.ndim} dimension(s), got shape {shape}")
        return value


# ---- lists of small records --------------------------------------------------------------------------------------


class Field(NamedTuple):
    """One key of a record: how to convert (and check) its value, and what stands there if it is missing."""

    convert: Callable[[Any], Any]
    default: Any = REQUIRED


class Records(tr.List):
    """A trait for a list of dicts with known keys. Missing keys get their default, unknown keys raise TraitError."""

    def __init__(self, **fields: Field):
        super().__init__([])
        self.fields = fields
        self.tag(sync=True)

    def validate(self, obj, value):
        """Return clean copies of the records, each with every key."""
        where = f"{type(obj).__name__}.{self.name}"
        return [self._clean(record, f"{where}[{i}]") for i, record in enumerate(super().validate(obj, value))]

    def _clean(self, record, where):
        if not isinstance(record, dict):
            raise tr.TraitError(f"{where} must be a dict, got {record!r}")
        if unknown := sorted(set(record) - set(self.fields)):
            raise tr.TraitError(f"{where} has unknown keys {unknown}; known are {sorted(self.fields)}")
        return {key: self._field(key, record, f"{where}[{key!r}]") for key in self.fields}

    def _field(self, key, record, where):
        convert, default = self.fields[key]
        value = record.get(key, default)
        if value is REQUIRED:
            raise tr.TraitError(f"{where} is missing")
        try:
            return convert(value)
        except (tr.TraitError, TypeError, ValueError) as error:
            raise tr.TraitError(f"{where}: {error}") from None


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a converter that accepts only these strings."""

    def convert(value):
        if value not in allowed:
            raise tr.TraitError(f"{value!r} is not one of {', '.join(map(repr, allowed))}")
        return value

    return convert


def finite(value: Any) -> float:
    """Accept a finite number only."""
    number = plain(value)
    if not isinstance(number, float):
        raise tr.TraitError(f"expected a finite number, got {value!r}")
    return number


def positive(value: Any) -> float:
    """Accept a finite number above 0 only."""
    number = finite(value)
    if number <= 0:
        raise tr.TraitError(f"expected a number above 0, got {value!r}")
    return number


def share(value: Any) -> float:
    """Accept a number from 0 to 1; what float32 rounds past an end counts as that end."""
    number = finite(value)
    if not -1e-6 <= number <= 1 + 1e-6:
        raise tr.TraitError(f"expected a number from 0 to 1, got {value!r}")
    return min(max(number, 0.0), 1.0)


def row(values: Any) -> list:
    """Accept a one-dimensional array of numbers."""
    values = plain(values)
    if not isinstance(values, list) or len(shape_of(values)) != 1:
        raise tr.TraitError("expected one row of numbers")
    return values


def matrix(values: Any) -> list:
    """Accept a two-dimensional array of numbers with at least one cell, to six digits that matter."""
    values = plain(values)
    shape = shape_of(values)
    if len(shape) != 2 or not shape[1]:
        raise tr.TraitError(f"expected a matrix, got shape {shape}")
    return [[float(f"{v:.6g}") if isinstance(v, float) else v for v in line] for line in values]


def points(path: Any) -> list:
    """Accept at least two points in space, each [x, y, z]."""
    path = [row(point) for point in path]
    if len(path) < 2 or any(len(point) != 3 for point in path):
        raise tr.TraitError("expected two or more points, each [x, y, z]")
    return path


def span(ends: Any) -> list[int]:
    """Accept [first, last + 1]."""
    first, end = (int(i) for i in ends)
    if not 0 <= first < end:
        raise tr.TraitError(f"expected first and last + 1 of a range, got {ends!r}")
    return [first, end]


def optional(convert: Callable) -> Callable:
    """Let None through, convert everything else."""
    return lambda value: None if value is None else convert(value)


ROLE = Field(one_of(*ROLES), "plain")


def synced(trait: tr.TraitType) -> tr.TraitType:
    """Mark a trait as shared with the browser."""
    return trait.tag(sync=True)


def role_trait(default: str = "plain") -> tr.TraitType:
    """Return a trait that holds the name of a role: its colour and shape."""
    return synced(tr.Enum(ROLES, default))


def labels_trait() -> tr.TraitType:
    """Return a trait that holds a list of labels."""
    return synced(tr.List(tr.Unicode()))


# ---- the views ---------------------------------------------------------------------------------------------------


class View(anywidget.AnyWidget):
    """What all views share. Change several traits at once with `show`."""

    _esm = STATIC / "views.js"
    _css = STATIC / "views.css"

    kind = synced(tr.Unicode())
    title = synced(tr.Unicode(help="Heading above the picture."))
    note = synced(tr.Unicode(help="Small sentence under the picture."))
    description = synced(tr.Unicode(help="Text alternative, read out by a screen reader."))
    greyed = synced(tr.Bool(False, help="Show that this is the course's version, not yet the student's."))

    def show(self, **traits: Any) -> None:
        """Set several traits together: checked together, sent as one message, drawn in one frame."""
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in traits.items():
                if not self.has_trait(name):
                    raise tr.TraitError(f"{type(self).__name__} has no trait {name!r}")
                setattr(self, name, value)

    def _same_shape(self, name: str, value: list, shape: tuple[int, ...], what: str) -> list:
        """Raise TraitError unless `value` has `shape`; before there is a picture (no values), anything fits."""
        if value and shape[:1] != (0,) and shape_of(value)[: len(shape)] != shape:
            have, need = (" x ".join(map(str, s)) for s in (shape_of(value), shape))
            raise tr.TraitError(
                f"{type(self).__name__}.{name} is {have}, but {what} needs {need}; "
                "if both change, set them together with show(...)"
            )
        return value

    def _repr_mimebundle_(self, **kwargs: Any):
        """Add a sentence for places that show no widgets (GitHub, a terminal)."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data:
            data["text/plain"] = " ".join(filter(None, [self.title, self.description])) or type(self).__name__
        return bundle


class Plane(View):
    """A plane with vectors from the origin; draggable ones move by mouse, touch and arrow keys.

    The browser writes `vectors` (new x and y) and `selected`.
    """

    kind = synced(tr.Unicode("plane"))
    vectors = Records(
        name=Field(str),
        role=ROLE,
        x=Field(finite),
        y=Field(finite),
        draggable=Field(bool, False),
        dim=Field(bool, False),
        masked=Field(bool, False),
    )
    selected = synced(tr.Int(-1, help="Index of the selected vector, -1 for none."))
    limit = synced(tr.Float(3.0, help="The plane shows -limit to limit both ways."))
    shade = synced(tr.Bool(False, help="Shade along the selected query and drop each key onto its direction."))

    @tr.validate("selected")
    def _selected_exists(self, proposal):
        if not -1 <= proposal["value"] < max(len(self.vectors), 1):
            raise tr.TraitError(f"Plane.selected is {proposal['value']}, there are {len(self.vectors)} vectors")
        return proposal["value"]

    @tr.validate("limit")
    def _limit_positive(self, proposal):
        if not (math.isfinite(proposal["value"]) and proposal["value"] > 0):
            raise tr.TraitError("Plane.limit must be positive and finite")
        return proposal["value"]


class Heatmap(View):
    """A table of numbers with a colour behind each; cells can be hidden, marked wrong, selected by row, or toggled.

    The browser writes `selected_row`, `hover` ([row, column] or []) and, if `editable`, `toggled`.
    """

    kind = synced(tr.Unicode("heatmap"))
    values = Array(2)
    row_labels = labels_trait()
    column_labels = labels_trait()
    row_role = role_trait()
    column_role = role_trait()
    row_title = synced(tr.Unicode())
    column_title = synced(tr.Unicode())
    masked = Array(2, flags=True)
    wrong = Array(2, flags=True)
    expected = Array(2)
    signed = synced(tr.Bool(False, help="Colour blue - neutral - orange around 0 instead of a purple ramp."))
    vmin = synced(tr.Float(None, allow_none=True))
    vmax = synced(tr.Float(None, allow_none=True))
    digits = synced(tr.Int(2, min=0, max=6))
    selected_row = synced(tr.Int(-1, help="Index of the selected row, -1 for none."))
    editable = synced(tr.Bool(False))
    toggled = synced(tr.Dict(help="The last `cells` toggled, each [row, column], and the `count` of all so far."))
    hover = synced(tr.List(tr.Int(), help="[row, column] under the mouse or the focus, or []."))
    legend = synced(tr.Bool(True))

    _taken = 0  # of the cells toggled

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of `values`."""
        return (*shape_of(self.values), 0)[:2]

    def take_toggled(self) -> list[tuple[int, int]]:
        """Row and column of every cell toggled since this was called last, in order; there may be several."""
        count = self.toggled.get("count", 0)
        new, self._taken = max(0, count - self._taken), count
        return [(row, column) for row, column in self.toggled.get("cells", [])[-new:]] if new else []

    @tr.validate("values")
    def _values_fit(self, proposal):
        shape = (*shape_of(proposal["value"]), 0)[:2]
        for name in ("masked", "wrong", "expected"):
            self._same_shape(name, getattr(self, name), shape, "values")
        self._same_shape("row_labels", self.row_labels, shape[:1], "values")
        self._same_shape("column_labels", self.column_labels, shape[1:], "values")
        return proposal["value"]

    @tr.validate("masked", "wrong", "expected")
    def _same_as_values(self, proposal):
        return self._same_shape(proposal["trait"].name, proposal["value"], self.shape, "values")

    @tr.validate("row_labels")
    def _one_label_a_row(self, proposal):
        return self._same_shape("row_labels", proposal["value"], self.shape[:1], "values")

    @tr.validate("column_labels")
    def _one_label_a_column(self, proposal):
        return self._same_shape("column_labels", proposal["value"], self.shape[1:], "values")

    @tr.validate("selected_row")
    def _row_exists(self, proposal):
        if not -1 <= proposal["value"] < max(self.shape[0], 1):
            raise tr.TraitError(f"Heatmap.selected_row is {proposal['value']}, there are {self.shape[0]} rows")
        return proposal["value"]

    @tr.validate("hover")
    def _a_cell_or_none(self, proposal):
        if len(proposal["value"]) not in (0, 2):
            raise tr.TraitError("Heatmap.hover must be [row, column] or []")
        return proposal["value"]


class Bars(View):
    """Rows of labelled bars, with one or more columns side by side (score, weight)."""

    kind = synced(tr.Unicode("bars"))
    labels = labels_trait()
    role = role_trait("key")
    columns = Records(
        title=Field(str, ""),
        values=Field(row),
        signed=Field(bool, False),
        judged=Field(bool, True),  # False: `wrong` rows are not marked in this column
        digits=Field(int, 2),
        vmax=Field(optional(finite), None),
    )
    masked = Array(1, flags=True)
    wrong = Array(1, flags=True)
    heading_before = synced(tr.Unicode())
    heading_chip = synced(tr.Unicode())
    heading_after = synced(tr.Unicode())
    chip_role = role_trait("query")

    @tr.validate("columns")
    def _one_value_a_label(self, proposal):
        for i, column in enumerate(proposal["value"]):
            self._one_each(f"columns[{i}]", column["values"], self.labels)
        return proposal["value"]

    @tr.validate("labels")
    def _one_label_a_value(self, proposal):
        for i, column in enumerate(self.columns):
            self._one_each(f"columns[{i}]", column["values"], proposal["value"])
        for name in ("masked", "wrong"):
            self._same_shape(name, getattr(self, name), (len(proposal["value"]),), "labels")
        return proposal["value"]

    def _one_each(self, name, values, labels):
        if len(values) != len(labels):
            raise tr.TraitError(
                f"Bars.{name} has {len(values)} values for {len(labels)} labels; "
                "if both change, set them together with show(...)"
            )

    @tr.validate("masked", "wrong")
    def _one_flag_a_label(self, proposal):
        return self._same_shape(proposal["trait"].name, proposal["value"], (len(self.labels),), "labels")


class Formula(View):
    """Lines of maths with coloured numbers.

    A line is a list of segments: {"text", "role", "style"}, {"fraction": [segments, segments]} or {"sup": segments}.
    """

    kind = synced(tr.Unicode("formula"))
    lines = synced(tr.List())

    @tr.validate("lines")
    def _known_segments(self, proposal):
        return [
            [check_segment(segment, f"Formula.lines[{i}]") for segment in line]
            for i, line in enumerate(proposal["value"])
        ]


def check_segment(segment: Any, where: str) -> dict:
    """Return a clean copy of one segment of a formula, or raise TraitError."""
    if not isinstance(segment, dict):
        raise tr.TraitError(f"{where}: a segment is a dict, got {segment!r}")
    if set(segment) == {"fraction"} and len(segment["fraction"]) == 2:
        return {"fraction": [[check_segment(part, where) for part in half] for half in segment["fraction"]]}
    if set(segment) == {"sup"}:
        return {"sup": [check_segment(part, where) for part in segment["sup"]]}
    if "text" not in segment or set(segment) - {"text", "role", "style"}:
        raise tr.TraitError(f"{where}: a segment has text (role, style), fraction or sup, got {sorted(segment)}")
    return {
        "text": str(segment["text"]),
        "role": one_of(*ROLES)(segment.get("role", "plain")),
        "style": one_of(*STYLES)(segment.get("style", "")),
    }


class Curves(View):
    """A small line chart. A series without a role gets one of the palette in turn."""

    kind = synced(tr.Unicode("curves"))
    series = Records(
        name=Field(str), x=Field(row), y=Field(row), role=Field(one_of("", *ROLES), ""), dashed=Field(bool, False)
    )
    x_label = synced(tr.Unicode())
    y_label = synced(tr.Unicode())
    log_x = synced(tr.Bool(False))
    log_y = synced(tr.Bool(False))
    marker = synced(tr.Float(None, allow_none=True, help="Draw a vertical line at this x."))

    @tr.validate("series")
    def _x_and_y_match(self, proposal):
        for i, one in enumerate(proposal["value"]):
            if len(one["x"]) != len(one["y"]):
                raise tr.TraitError(f"Curves.series[{i}]: x has {len(one['x'])} numbers, y has {len(one['y'])}")
        return proposal["value"]


class Flow(View):
    """Boxes joined by arrows, lit step by step.

    A box stands at column x (to the right) and row y (down), in steps of the grid; it is `width` columns wide, less
    the room for arrows, and as high as what it holds. `step` -1 lights all; otherwise what belongs to this step is lit
    strongly, earlier is normal, later is dimmed. The browser writes `selected`, the name of a box.
    """

    kind = synced(tr.Unicode("flow"))
    boxes = Records(
        name=Field(str),
        label=Field(str),
        x=Field(finite),
        y=Field(finite),
        width=Field(positive, 1.0),
        role=ROLE,
        shape=Field(str, ""),
        values=Field(row, []),  # a strip of cells: blue below 0, orange above, on one scale for the whole diagram
        step=Field(int, 0),
        note=Field(str, ""),
        wrong=Field(bool, False),
    )
    arrows = Records(
        source=Field(str),
        target=Field(str),
        label=Field(str, ""),
        kind=Field(one_of("flow", "residual", "weak"), "flow"),  # residual goes round the boxes in between
        weight=Field(optional(share), None),  # thickness: how much attention, or a share of the routing
        step=Field(int, 0),
    )
    step = synced(tr.Int(-1, min=-1, help="The step that is lit, -1 for all."))
    selected = synced(tr.Unicode(help="Name of the selected box, or empty."))

    @tr.validate("boxes")
    def _own_names(self, proposal):
        names = [box["name"] for box in proposal["value"]]
        for i, name in enumerate(names):
            if not name or name in names[:i]:
                raise tr.TraitError(f"Flow.boxes[{i}]['name'] is {name!r}; each box needs a name of its own")
        self._known_ends(self.arrows, names)
        return proposal["value"]

    @tr.validate("arrows")
    def _between_boxes(self, proposal):
        self._known_ends(proposal["value"], self.names)
        return proposal["value"]

    def _known_ends(self, arrows, names):
        for i, arrow in enumerate(arrows):
            for end in ("source", "target"):
                if arrow[end] not in names:
                    raise tr.TraitError(
                        f"Flow.arrows[{i}][{end!r}] is {arrow[end]!r}, the boxes are {names}; "
                        "if both change, set them together with show(...)"
                    )

    @tr.validate("selected")
    def _selected_exists(self, proposal):
        if proposal["value"] and proposal["value"] not in self.names:
            raise tr.TraitError(f"Flow.selected is {proposal['value']!r}, the boxes are {self.names}")
        return proposal["value"]

    @tr.observe("boxes")
    def _forget_a_box_that_is_gone(self, _):
        if self.selected not in self.names:
            self.selected = ""

    @property
    def names(self) -> list[str]:
        """The names of the boxes."""
        return [box["name"] for box in self.boxes]


class Matrices(View):
    """Matrices as tiles in three dimensions: height and colour are the numbers.

    `matrices` are all there are; `scene` says which of them stand where: their upper left corner in cells, x to the
    right (a cell is 1.5 wide), y up, z to the front; on the `floor`, rows run to the back. The browser writes `hover`
    ([name, row, column] of the cell under the pointer or reached by arrow keys, or []) and `clicked`. While `lit`
    holds rectangles of cells, all other cells step back.
    """

    _esm = STATIC / "matrices.js"

    kind = synced(tr.Unicode("matrices"))
    matrices = Records(
        name=Field(str),
        label=Field(str),
        symbol=Field(str, ""),
        values=Field(matrix),
        shape=Field(str, ""),
        signed=Field(bool, True),  # False: shares from 0 to 1
        wrong=Field(_nested_bools, []),  # where a student's numbers differ
        row_labels=Field(list, []),
        column_labels=Field(list, []),
        row_role=ROLE,
        column_role=ROLE,
    )
    scene = Records(
        name=Field(str),
        x=Field(finite),
        y=Field(finite),
        z=Field(finite, 0.0),
        floor=Field(bool, False),
        faint=Field(bool, False),
        strong=Field(bool, False),
        caption=Field(one_of("", "short", "full"), "full"),  # the symbol, or the label with the shape
        rows=Field(bool, False),  # whether to write the labels of the rows, of the columns
        columns=Field(bool, False),
    )
    signs = Records(text=Field(str), x=Field(finite), y=Field(finite))
    links = Records(path=Field(points))
    lit = Records(name=Field(str), rows=Field(span), columns=Field(span))
    current = synced(tr.Unicode(help="Name of the matrix in which arrow keys walk."))
    hover = synced(tr.List(help="[name, row, column], or []."))
    clicked = synced(tr.Dict(help="Last cell clicked: name, row, column, and a count that grows with every click."))
    yaw = synced(tr.Float(-0.3, help="From where the scene is seen at first: radians to the right ..."))
    pitch = synced(tr.Float(0.25, help="... and up."))
    resets = synced(tr.Int(0, help="Grows whenever the camera shall go back to its first place."))

    @tr.validate("scene", "lit")
    def _known_matrices(self, proposal):
        names = {record["name"] for record in self.matrices}
        if unknown := sorted({record["name"] for record in proposal["value"]} - names):
            raise tr.TraitError(f"Matrices.{proposal['trait'].name} has {unknown}, the matrices are {sorted(names)}")
        return proposal["value"]

    @tr.validate("hover")
    def _a_cell_or_none(self, proposal):
        if len(proposal["value"]) not in (0, 3):
            raise tr.TraitError("Matrices.hover must be [name, row, column] or []")
        return proposal["value"]


class Picker(View):
    """The card of a check question; writes the chosen answer into the student's answer cell.

    The browser writes `chosen` and `saved` (whether the answer cell was found and written).
    """

    kind = synced(tr.Unicode("picker"))
    question = synced(tr.Unicode(help="Plain text; `code` in backticks."))
    options = Records(key=Field(str), text=Field(str))
    multiple = synced(tr.Bool(False))
    chosen = synced(tr.List(tr.Unicode()))
    feedback = synced(tr.Dict(help="For each key: right (bool) and text; shown under chosen options only."))
    variable = synced(tr.Unicode())
    saved = synced(tr.Bool(False))

    @tr.validate("chosen")
    def _chosen_exist(self, proposal):
        keys = [option["key"] for option in self.options]
        if unknown := [key for key in proposal["value"] if key not in keys]:
            raise tr.TraitError(f"Picker.chosen has {unknown}, the options are {keys}")
        if len(proposal["value"]) > 1 and not self.multiple:
            raise tr.TraitError("Picker.chosen has several keys, but multiple is False")
        return proposal["value"]

    @tr.validate("variable")
    def _is_a_name(self, proposal):
        if proposal["value"] and not proposal["value"].isidentifier():
            raise tr.TraitError(f"Picker.variable must be a Python name, got {proposal['value']!r}")
        return proposal["value"]

    @tr.validate("feedback")
    def _right_and_text(self, proposal):
        feedback = proposal["value"]
        for key, entry in feedback.items():
            if not isinstance(entry, dict) or set(entry) != {"right", "text"}:
                raise tr.TraitError(f"Picker.feedback[{key!r}] needs right and text, got {entry!r}")
        return {key: {"right": bool(entry["right"]), "text": str(entry["text"])} for key, entry in feedback.items()}
