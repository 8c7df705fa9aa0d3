"""A recurrent network reads token by token; the spotlight of attention looks at all tokens at once (ch00)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from course import plots, supplied
from course.supplied import ch00
from course.widgets.base import Card, Drawn, Driven, Stepper, column, slider
from course.widgets.views import Curves, Flow, number_text

WORDS = ["keys", "to", "the", "old", "cabinet", "are", "lost"]
FEATURES = ["thing", "plural", "verb", "small word"]  # made up by hand, as are the words' vectors
VECTORS = np.array(
    [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0.8], [0.3, 0, 0, 0.5], [1, -1, 0, 0], [0, 0, 1, 0.2], [0, 0, 0.8, 0]], float
)
KEY = np.array([1.0, -1, 0, 0])  # "key" in place of "keys"
WIDTH = VECTORS.shape[1]
VERB = WORDS.index("are")
LOOKS_FOR = np.array([1.5, 1.5, 0, 0])  # the spotlight of "are", pointed by hand: a thing, plural
INDEX = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087"


def weights(memory: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W_h, a rotation times `memory`, so that a state keeps its size times that; W_x; and a bias of zeros."""
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))
    return memory * rotation, 0.8 * np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0], np.zeros(WIDTH)


def two_runs(step: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """A function (w_h, w_x, b) -> states (2, n, WIDTH): for the sentence, and for the one that begins with "key"."""

    def states(w_h: np.ndarray, w_x: np.ndarray, b: np.ndarray) -> np.ndarray:
        runs = []
        for first in (VECTORS[0], KEY):
            h, run = np.zeros(WIDTH), []
            for token in (first, *VECTORS[1:]):
                h = step(h.copy(), token.copy(), w_h.copy(), w_x.copy(), b.copy())
                run.append(h)
            runs.append(run)
        return np.array(runs)

    return states


class ConveyorSpotlight(Card):
    """The widget; `step` is (h, x, w_h, w_x, b) -> new state, or None for the course's own."""

    def __init__(self, step: Callable[..., Any] | None = None):
        self.states = Driven(step and two_runs(step), two_runs(ch00.rnn_step), "rnn_step")
        self.memory = slider(0.7, 0.0, 2.0, 0.05, "size of W\u2095")
        self.stepper = Stepper(names=[f"the belt reads \u201c{word}\u201d" for word in WORDS])
        self._make_views()
        views = column([self.belt, self.light, self.trace])
        super().__init__("Conveyor belt and spotlight", [self.stepper, self.memory], [views])
        self.listen(self.stepper, "step", lambda _: None)
        self.listen(self.memory, "value", lambda _: None)
        self.redraw()

    def _make_views(self) -> None:
        self.belt = Flow(
            title="Conveyor belt (recurrent network): one token a step",
            description="Seven tokens in a row, and below each the state made of it and of the state before",
        )
        self.light = Flow(
            boxes=_light_boxes(), arrows=_light_arrows(),
            description="The same seven tokens, and arrows from all of them at once to the result for the word are",
        )  # fmt: skip
        self.trace = Curves(
            title="What is left of the first token", x_label="after token", y_label="percent",
            note="How far apart the states are if \u201ckey\u201d stands in place of \u201ckeys\u201d.",
            description="A curve over the tokens: how much of the first token's trace is left in the state",
        )  # fmt: skip

    def compute(self) -> Drawn:
        """The states of both runs, and whose they are."""
        drawn = self.states(*weights(self.memory.value))
        if drawn.source != "wrong":
            return drawn
        place = int(np.argwhere(drawn.wrong())[0][1])
        first = f"the state after token {place + 1} is the first that differs."
        return replace(drawn, message=f"Your `rnn_step` draws this, and it is not right yet: {first}")

    def redraw(self) -> None:
        """Show the belt, the spotlight and the trace at the current step."""
        drawn, step = self.compute(), self.stepper.step
        greyed = drawn.source == "course"
        self.belt.show(boxes=self._belt_boxes(drawn), arrows=_belt_arrows(), step=step, greyed=greyed)
        done = "after 1 step it is done" if step else "all tokens in this one step"
        self.light.show(step=step, title=f"Spotlight (attention) of \u201care\u201d: {done}")
        self.trace.show(series=self._trace_series(drawn), marker=float(step + 1), greyed=greyed)
        self.say(drawn)

    def _belt_boxes(self, drawn: Drawn) -> list[dict[str, Any]]:
        """Tokens in the upper row, states in the lower one, which are empty until the belt has reached them."""
        nothing = "The state before anything is read: zeros."
        made = [{"name": "h0", "label": "h" + INDEX[0], "x": 0, "y": 1, "values": np.zeros(WIDTH), "note": nothing}]
        for t in range(len(WORDS)):
            made += [_token_box(t, t), _state_box(t, drawn, reached=t <= self.stepper.step)]
        return made

    def left(self, drawn: Drawn) -> np.ndarray:
        """Percent of the first token's trace that is left after each token, shape (n,)."""
        apart = np.linalg.norm(drawn.values[0][0] - drawn.values[0][1], axis=-1)
        return 100 * apart / apart[0] if apart[0] > 0 else 0 * apart

    def _trace_series(self, drawn: Drawn) -> list[dict[str, Any]]:
        places, left = np.arange(1, len(WORDS) + 1), self.left(drawn)
        name = f"belt: {number_text(left[VERB], 1)} percent left at \u201care\u201d"
        return [{"name": name, "x": places, "y": left, "role": "value"}]

    def figure(self) -> Any:
        """Belt, spotlight and the fading trace, for print."""
        import matplotlib.pyplot as plt

        figure, (belt, light, trace) = plt.subplots(3, 1, figsize=(8, 7.2), height_ratios=[3, 3, 4])
        plots.flow(belt, self.belt.boxes, self.belt.arrows, title=self.belt.title)
        plots.flow(light, self.light.boxes, self.light.arrows, title="Spotlight (attention): all at once")
        trace.plot(range(1, len(WORDS) + 1), self.left(self.compute()), marker="o", color=plots.VALUE)
        trace.set(title=self.trace.title, xlabel="after token", ylabel="percent", ylim=(0, None))
        return figure


def spotlight() -> np.ndarray:
    """The weights with which "are" looks at each token, by what its spotlight looks for: shape (n,)."""
    return supplied.softmax(VECTORS @ LOOKS_FOR)


def _token_box(t: int, step: int) -> dict[str, Any]:
    numbers = ", ".join(f"{name} {number_text(v, 1)}" for name, v in zip(FEATURES, VECTORS[t], strict=True) if v)
    return {"name": f"x{t + 1}", "label": WORDS[t], "x": t + 1, "y": 0, "role": "plain", "step": step,
            "values": VECTORS[t], "note": f"Token {t + 1}, a vector made up by hand: {numbers}."}  # fmt: skip


def _state_box(t: int, drawn: Drawn, reached: bool) -> dict[str, Any]:
    box = {"name": f"h{t + 1}", "label": "h" + INDEX[t + 1], "x": t + 1, "y": 1, "step": t, "role": "value"}
    if not reached:
        return {**box, "note": f"Not there yet: it needs h{INDEX[t]} first."}
    note = f"The state after \u201c{WORDS[t]}\u201d: one call of rnn_step made it of h{INDEX[t]} and of this token."
    wrong = bool(drawn.wrong()[0, t].any())
    return {**box, "values": drawn.values[0][0, t], "wrong": wrong, "note": note}


def _light_boxes() -> list[dict[str, Any]]:
    note = "A weighted average of all seven vectors. The weights stand on the arrows; ch01 shows how to compute them."
    result = {"name": "out", "label": "result for are", "x": VERB + 1, "y": 1.6, "width": 1.6, "role": "attention"}
    tokens = [_token_box(t, 0) for t in range(len(WORDS))]
    return [*tokens, {**result, "values": spotlight() @ VECTORS, "note": note}]


def _light_arrows() -> list[dict[str, Any]]:
    return [{"source": f"x{t + 1}", "target": "out", "weight": float(share)} for t, share in enumerate(spotlight())]


def _belt_arrows() -> list[dict[str, Any]]:
    arrows = []
    for t in range(len(WORDS)):
        arrows.append({"source": f"h{t}", "target": f"h{t + 1}", "step": t})
        arrows.append({"source": f"x{t + 1}", "target": f"h{t + 1}", "step": t})
    return arrows


def conveyor_spotlight(step: Callable[..., Any] | None = None) -> ConveyorSpotlight:
    """Show a recurrent network beside attention, step by step, the recurrent step computed by `step` if it is given."""
    return ConveyorSpotlight(step)
