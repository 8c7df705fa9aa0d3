"""What all lesson widgets share: a card with a title, controls, views and a line that says whose function draws."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets as tr

RTOL, ATOL = 1e-4, 1e-6


@dataclass(frozen=True)
class Drawn:
    """What to draw: values, whose they are (`yours`, `course`, `wrong`), and a sentence for the student."""

    values: tuple[np.ndarray, ...]
    source: str
    message: str
    expected: tuple[np.ndarray, ...]

    def wrong(self, index: int = 0) -> np.ndarray:
        """Boolean array: where the student's values differ from the right ones."""
        return ~np.isclose(self.values[index], self.expected[index], RTOL, ATOL, equal_nan=True)


class Driven:
    """Calls the student's function, and ours beside it to know whether theirs is right.

    If theirs is missing, unfinished or fails, ours draws, greyed; if it is wrong, theirs is drawn and marked.
    """

    def __init__(self, yours: Callable[..., Any] | None, ours: Callable[..., Any], name: str):
        self.yours, self.ours, self.name = yours, ours, name

    def __call__(self, *args: Any) -> Drawn:
        expected = _tuple(self.ours(*_copies(args)))
        if self.yours is None:
            return Drawn(expected, "course", f"The course's own `{self.name}` draws this. Yours will soon.", expected)
        try:
            values = _tuple(self.yours(*_copies(args)))
        except NotImplementedError:
            return Drawn(expected, "course", f"`{self.name}` is not written yet: the course's version draws.", expected)
        except Exception as error:
            text = f"Your `{self.name}` raised {type(error).__name__}: {str(error)[:200]}. The course's version draws."
            return Drawn(expected, "course", text, expected)
        return self._compared(values, expected)

    def _compared(self, values: tuple[Any, ...], expected: tuple[np.ndarray, ...]) -> Drawn:
        shapes = [getattr(v, "shape", None) for v in values]
        wanted = [e.shape for e in expected]
        if shapes != wanted or any(v.dtype.kind not in "bif" for v in values):
            text = f"Your `{self.name}` gives shapes {shapes}, expected {wanted}. The course's version draws."
            return Drawn(expected, "course", text, expected)
        drawn = Drawn(values, "yours", f"Drawn by your `{self.name}`.", expected)
        off = [np.argwhere(drawn.wrong(i)) for i in range(len(values))]
        if not any(len(o) for o in off):
            return drawn
        return Drawn(values, "wrong", self._first_difference(values, expected, off), expected)

    def _first_difference(self, values, expected, off: list[np.ndarray]) -> str:
        which = next(i for i, o in enumerate(off) if len(o))
        place = tuple(int(i) for i in off[which][0])
        result = f"item {which} of the result" if len(values) > 1 else "the result"
        where = f" first at {list(place)}" if place else ""
        yours, right = _told_apart(values[which][place], expected[which][place])
        return (
            f"Your `{self.name}` draws this, and it is not right yet: {result} differs{where} "
            f"(yours {yours}, right {right})."
        )


def _told_apart(yours: Any, right: Any) -> tuple[str, str]:
    """Both numbers, with as many digits as it takes to see the difference."""
    pairs = [(f"{yours:.{digits}g}", f"{right:.{digits}g}") for digits in (3, 6, 9)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])


def _tuple(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (np.asarray(result),)


def _copies(args: tuple[Any, ...]) -> list[Any]:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


class Card(w.VBox):
    """The card around a lesson's widget. Subclasses make their controls and views, and define `redraw` and `figure`."""

    def __init__(self, title: str, controls: list[w.Widget], views: list[w.Widget]):
        self._status = w.HTML(layout=w.Layout(width="auto"))
        self._status.add_class("cw-status")
        heading = w.HTML(f'<div class="cw-card-title" role="heading" aria-level="3">{escape(title)}</div>')
        super().__init__([heading, row(controls).add_class("cw-controls"), row(views), self._status])
        self.add_class("course-widget")
        self._quiet = False

    def say(self, drawn: Drawn) -> None:
        """Show whose function draws, in words and by the strip's style."""
        parts = escape(drawn.message).split("`")
        text = "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))
        if self._status.value != text:
            self._status.value = text
        for source in ("yours", "course", "wrong"):
            (self._status.add_class if source == drawn.source else self._status.remove_class)(f"cw-{source}")

    def listen(self, control: w.Widget, trait: str, react: Callable[[Any], None]) -> None:
        """React to a trait's changes by people, not to those that `react` and `redraw` make themselves."""

        def changed(change: Any) -> None:
            if self._quiet:
                return
            self._quiet = True
            try:
                react(change["new"])
                self.redraw()
            finally:
                self._quiet = False

        control.observe(changed, trait)

    def redraw(self) -> None:
        """Compute and set what the views show."""
        raise NotImplementedError

    def figure(self) -> Any:
        """The same picture as a matplotlib figure, for print."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Add the still picture, for pages without a kernel (GitHub, nbconvert)."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data:
            data["image/png"] = self._still()
        return bundle

    def _still(self) -> str:
        import matplotlib.pyplot as plt

        figure = self.figure()
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=90)
        plt.close(figure)
        return base64.b64encode(picture.getvalue()).decode()


class Stepper(w.Box):
    """Back, Step forward and Play for a sequence of named steps; a card listens to `step`, which counts from 0."""

    names = tr.List(tr.Unicode(), minlen=1)
    step = tr.Int(0, min=0)

    def __init__(self, names: list[str]):
        self._play = w.Play(max=len(names) - 1, interval=1400, show_repeat=False, layout=w.Layout(width="auto"))
        self._place = w.Label().add_class("cw-step-name")
        buttons = [button("Back", lambda: self.move(-1)), button("Step forward", lambda: self.move(1))]
        super().__init__([*buttons, self._play, self._place], names=names)
        self.add_class("cw-row").add_class("cw-controls")
        self._play.observe(lambda change: self.set_trait("step", change["new"]), "value")
        self._show()

    def move(self, by: int) -> None:
        """Go `by` steps on (or back) and stop playing; at either end, stay."""
        self._play.playing = False
        self.step = min(max(self.step + by, 0), len(self.names) - 1)

    @tr.validate("step")
    def _step_exists(self, proposal):
        if proposal["value"] >= len(self.names):
            raise tr.TraitError(f"Stepper.step is {proposal['value']}, there are {len(self.names)} steps")
        return proposal["value"]

    @tr.observe("step")
    def _show(self, _=None):
        self._play.value = self.step
        self._place.value = f"step {self.step + 1} of {len(self.names)}: {self.names[self.step]}"

    @tr.observe("names")
    def _start_over(self, _):
        self._play.max = len(self.names) - 1
        self.step = 0
        self._show()


def row(children: list[w.Widget]) -> w.Box:
    """Widgets side by side, wrapping on narrow pages."""
    return w.Box(children).add_class("cw-row")


def column(children: list[w.Widget]) -> w.VBox:
    """Widgets under one another, inside a row."""
    box = w.VBox(children)
    box.add_class("cw-column")
    return box


def slider(value: float, low: float, high: float, step: float, label: str) -> w.FloatSlider:
    """A labelled slider that reports while it is dragged; its track has the same length whatever its label's."""
    return w.FloatSlider(
        value=value, min=low, max=high, step=step, description=label, continuous_update=True, readout_format=".2f",
        layout=w.Layout(width=f"{170 + 7 * len(label)}px"), style={"description_width": "initial"},
    )  # fmt: skip


def button(label: str, react: Callable[[], None]) -> w.Button:
    """A button."""
    made = w.Button(description=label, layout=w.Layout(width="auto"))
    made.on_click(lambda _: react())
    return made


def switch(value: bool, label: str) -> w.Checkbox:
    """A labelled on/off control."""
    return w.Checkbox(value=value, description=label, indent=False, layout=w.Layout(width="auto"))
