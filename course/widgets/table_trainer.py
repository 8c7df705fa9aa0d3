"""The student's network learns the multiplication table while they watch: loss, answers, hidden units (m02)."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import m02
from course.widgets.base import Card, Drawn, Driven, button
from course.widgets.schedule_lab import whole
from course.widgets.views import Curves, Heatmap

WIDTH, HIDDEN, SEED = 6, 32, 0
STEPS_A_SLICE, SECONDS_A_SLICE, PAUSE = 1, 0.05, 0.07  # what the kernel works for the net, and rests for all others
MOST_STEPS, MOST_POINTS, ENOUGH = 2000, 300, 0.003  # a loss below ENOUGH ends it
NOTHING, BOTH, ONE = "nothing", "16 pairs, in both orders", "8 pairs, not their mirror images"
TIMES = "\N{MULTIPLICATION SIGN}"
SIDE = [str(digit) for digit in m02.DIGITS]
Function = Callable[..., Any]


# ---- what trains -------------------------------------------------------------------------------------------------


class Run:
    """One training, without any picture: a net, the pairs that are kept from it, and what was measured so far.

    `rows` holds (step, loss of the seen and the unseen pairs, share of right answers of the seen and the unseen).
    `trouble` says why it cannot go on, or is empty.
    """

    def __init__(self, forward: Function, step: Function, hidden: np.ndarray):
        self.forward, self.step, self.hidden = forward, step, hidden
        self.pairs, self.products = m02.multiplication_table()
        self.p = m02.init_network(WIDTH, HIDDEN, SEED)
        self.states, self.count, self.trouble = m02.init_states(self.p), 0, ""
        self.rows: list[tuple[float, ...]] = []
        self._note(*m02.network_forward(self.pairs, self.p))

    @property
    def right(self) -> np.ndarray:
        """For each pair, whether it is answered rightly; (81,)."""
        return self.answers == self.products

    @property
    def finished(self) -> bool:
        """Whether all is learned, or it takes too long."""
        _, loss, _, share, _ = self.rows[-1]
        return self.count >= MOST_STEPS or (share == 1.0 and loss < ENOUGH)

    def go(self, rate: float) -> bool:
        """One step; whether more would make sense. What the student's code raises becomes `trouble`."""
        if self.trouble or self.finished:
            return False
        seen = ~self.hidden
        try:
            self.p, self.states, loss = self.step(self.pairs[seen], self.products[seen], self.p, self.states, rate)
            self.count += 1
            if not np.isfinite(loss):
                self.trouble = f"Stopped at step {self.count}: the loss is {loss}. Reset, and try a smaller rate."
                return False
            self._note(*self.forward(self.pairs, self.p))
        except Exception as error:
            said = f"{type(error).__name__}: {str(error)[:200]}"
            self.trouble = f"Stopped after step {self.count}: your code raised {said}"
        return not self.trouble and not self.finished

    def _note(self, logits: np.ndarray, saved: dict[str, np.ndarray]) -> None:
        """Keep answers, probabilities and the hidden layer; measure loss and share of right answers."""
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.chances = powers / powers.sum(axis=1, keepdims=True)
        self.answers, self.activations = self.chances.argmax(axis=1), np.asarray(saved["a"], float)
        losses = -np.log(np.maximum(self.chances[np.arange(81), self.products], 1e-300))
        row = [float(self.count)]
        for measured in (losses, self.right.astype(float)):
            row += [float(measured[rows].mean()) if rows.any() else np.nan for rows in (~self.hidden, self.hidden)]
        self.rows.append(tuple(row))
        if len(self.rows) > MOST_POINTS:
            self.rows = [*self.rows[:-1:2], self.rows[-1]]

    def about(self, i: int) -> str:
        """What the net says of one pair, in words."""
        (a, b), (first, second) = self.pairs[i], np.argsort(-self.chances[i])[:2]
        kept = " It was kept from the net." if self.hidden[i] else ""
        return (
            f"{a} {TIMES} {b} = {self.products[i]}: it says {first} with probability {self.chances[i, first]:.2f}, "
            f"next comes {second} with {self.chances[i, second]:.2f}.{kept}"
        )

    def progress(self) -> str:
        """How far it is, in words."""
        seen = ~self.hidden
        text = f"Step {self.count}: {int(self.right[seen].sum())} of {int(seen.sum())} right"
        if self.hidden.any():
            text += f", and {int(self.right[self.hidden].sum())} of the {int(self.hidden.sum())} kept from it"
        return text


def two_steps(step: Function | None) -> Function | None:
    """A function of a learning rate that gives, as arrays, what two steps make of a small net."""
    if step is None:
        return None

    def results(rate: float) -> tuple[np.ndarray, ...]:
        pairs, products = m02.multiplication_table()
        p = m02.init_network(2, 4, SEED)
        names, states, losses = list(p), m02.init_states(p), []
        for _ in range(2):
            p, states, loss = step(pairs[::5], products[::5], p, states, rate)
            losses.append(float(loss))
        return *(np.asarray(p[name]) for name in names), np.array(losses)

    return results


def everything(forward: Function | None) -> Function | None:
    """A function of a seed that gives logits and hidden layer of a small net, as arrays."""
    if forward is None:
        return None

    def results(seed: int) -> tuple[np.ndarray, ...]:
        logits, saved = forward(m02.multiplication_table()[0], m02.init_network(2, 4, seed))
        return np.asarray(logits), np.asarray(saved["a"])

    return results


# ---- the card ----------------------------------------------------------------------------------------------------


class TableTrainer(Card):
    """The widget; `forward` is network_forward and `step` is train_step, or None for the course's own.

    Start trains in slices of a few hundredths of a second on the kernel's own event loop, so that everything else goes
    on. Only one card trains at a time. Where no loop runs (in a script), `advance` does the same.
    """

    training: weakref.ref[TableTrainer] | None = None  # the card that trains, of all there are

    def __init__(self, forward: Function | None = None, step: Function | None = None):
        stop_training()
        self.task: asyncio.Task[None] | None = None
        tried = [
            Driven(everything(forward), everything(m02.network_forward), "network_forward")(SEED),
            Driven(two_steps(step), two_steps(m02.train_step), "train_step")(0.05),
        ]
        self.functions = (
            m02.network_forward if tried[0].source == "course" else forward,
            m02.train_step if tried[1].source == "course" else step,
        )
        self.whose = _whose(tried)
        self._make_controls()
        self._make_views()
        self.run = self._fresh()
        controls = [*self.buttons, self.rate, self.kept, self.unit]
        super().__init__("A net learns the multiplication table", controls, self.views)
        self.listen(self.kept, "value", lambda _: self._begin())
        self.listen(self.unit, "value", lambda _: None)
        self.table.observe(lambda _: self._show_words(), "hover")
        self.redraw()

    def _make_controls(self) -> None:
        self.buttons = [button("Start", self.start), button("Pause", self.pause), button("Reset", self.reset)]
        plain = {"description_width": "initial"}
        self.rate = w.FloatLogSlider(
            value=0.01, base=10, min=-3, max=0.5, step=0.25, description="learning rate", readout_format=".3f",
            style=plain, layout=w.Layout(width="270px"),
        )  # fmt: skip
        self.kept = w.Dropdown(
            options=[NOTHING, BOTH, ONE], description="kept from the net", style=plain, layout=w.Layout(width="330px")
        )
        self.unit = whole(0, 0, HIDDEN - 1, 1, "hidden unit")

    def _make_views(self) -> None:
        self.loss = Curves(
            title="Loss", x_label="step", y_label="nats", log_y=True,
            description="The loss after each step, of the pairs that it is trained with and of those kept from it",
        )  # fmt: skip
        self.share = Curves(
            title="Right answers", x_label="step", y_label="share",
            description="The share of right answers after each step, of the pairs trained with and of those kept back",
        )  # fmt: skip
        for curves in (self.loss, self.share):
            curves.layout.flex = "1 1 42%"  # side by side, on a narrow page too
        labels = {"row_labels": SIDE, "column_labels": SIDE, "row_title": "a", "column_title": "b"}
        self.table = Heatmap(
            title="Its answers, in percent", signed=True, vmin=-100.0, vmax=100.0, digits=0, legend=False, **labels,
            description="For each pair how sure the net is of its answer, in percent, with a minus if it is wrong",
        )  # fmt: skip
        self.seen_by = Heatmap(vmin=0.0, legend=False, **labels)
        self.views = [self.loss, self.share, self.table, self.seen_by]

    def _fresh(self) -> Run:
        hidden = np.zeros(81, bool) if self.kept.value == NOTHING else m02.held_out(self.kept.value == BOTH)
        return Run(*self.functions, hidden)

    def _begin(self) -> None:
        self.pause()
        self.run = self._fresh()

    # ---- training, as long as the page is open -------------------------------------------------------------------

    def start(self) -> None:
        """Train on the running event loop until paused, or all is learned; any other card pauses."""
        if self.task is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._tell("No event loop runs here, so nothing trains by itself: `advance(100)` trains 100 steps.")
            return
        stop_training()
        TableTrainer.training = weakref.ref(self)
        self.task = loop.create_task(self._train())

    def pause(self) -> None:
        """Stop training; Start goes on from here."""
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def reset(self) -> None:
        """Stop, and begin with a fresh net."""
        self._begin()
        self.redraw()

    async def _train(self) -> None:
        """Work a little, show it, let the kernel do what else there is."""
        while self.advance(STEPS_A_SLICE, SECONDS_A_SLICE):
            await asyncio.sleep(PAUSE)
        self.task = None

    def advance(self, steps: int, seconds: float = float("inf")) -> bool:
        """Train that many steps, or as many as fit into the time, and show the result; whether it can go on."""
        until, going = time.perf_counter() + seconds, True
        with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            while going and steps > 0:
                going = self.run.go(self.rate.value)
                steps = steps - 1 if time.perf_counter() < until else 0
        self.redraw()
        return going

    # ---- drawing -------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Show the curves so far, the answers and what the chosen unit sees."""
        count, loss, lost, share, kept = np.array(self.run.rows).T
        greyed = self.whose.source == "course"
        self.loss.show(series=self._series(count, np.maximum(loss, 1e-6), np.maximum(lost, 1e-6)), greyed=greyed)
        self.share.show(series=self._series(count, share, kept), greyed=greyed)
        self.table.show(values=self._answers(), greyed=greyed)
        self._show_words()
        self._show_unit(greyed)
        if self.run.trouble:
            self._tell(self.run.trouble)
        else:
            self.say(self.whose)

    def _answers(self) -> np.ndarray:
        """How sure the net is of its answers in percent, negative where they are wrong; (9, 9)."""
        sure = 100 * self.run.chances.max(axis=1)
        return np.where(self.run.right, sure, -sure).reshape(9, 9)

    def _tell(self, trouble: str) -> None:
        self.say(replace(self.whose, message=trouble, source="wrong"))

    def _series(self, x: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> list[dict[str, Any]]:
        if len(x) == 1:  # a point is no curve
            return []
        series = [{"name": "pairs it is trained with", "x": x, "y": seen, "role": "value"}]
        if self.run.hidden.any():
            series.append({"name": "pairs kept from it", "x": x, "y": unseen, "role": "key", "dashed": True})
        return series

    def _show_words(self) -> None:
        """Under the table: what it says of the pair that is pointed at, or how far it is."""
        if self.table.hover:
            self.table.note = self.run.about(9 * self.table.hover[0] + self.table.hover[1])
        else:
            signs = "How sure it is of its answer, with a minus where that is wrong. Point at a pair."
            self.table.note = f"{self.run.progress()}. {signs}"

    def _show_unit(self, greyed: bool) -> None:
        values = self.run.activations[:, self.unit.value].reshape(9, 9)
        self.seen_by.show(
            title=f"What hidden unit {self.unit.value} sees", values=values, vmax=max(float(values.max()), 1e-9),
            digits=1 if values.max() < 9.95 else 0,
            description=f"The activation of hidden unit {self.unit.value} for each pair of digits", greyed=greyed,
            note=f"Its activation for each pair; it is silent (0) for {int((values == 0).sum())} of 81.",
        )  # fmt: skip

    def figure(self) -> Any:
        """Curves, answers and a hidden unit as a figure for print; before the first step, as they are after 40."""
        import matplotlib.pyplot as plt

        run = self.run if self.run.count else _trained(40)
        count, loss, _, share, _ = np.array(run.rows).T
        figure, panels = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
        panels[0].plot(count, loss, color=plots.VALUE, label="loss")
        panels[0].plot(count, share, color=plots.ATTENTION, linestyle="--", label="share right")
        panels[0].set(xlabel="step", title=f"After {run.count} steps")
        panels[0].legend()
        answers = np.where(run.right, 100, -100) * run.chances.max(axis=1)
        seen = run.activations[:, self.unit.value]
        for panel, values, title, colours, low, high in (
            (panels[1], answers, "Its answers (blue: wrong)", "PuOr_r", -100, 100),
            (panels[2], seen, f"What hidden unit {self.unit.value} sees", "Purples", 0, None),
        ):
            panel.imshow(values.reshape(9, 9), cmap=colours, vmin=low, vmax=high)
            panel.set_xticks(range(9), SIDE)
            panel.set_yticks(range(9), SIDE)
            panel.set(title=title, xlabel="b", ylabel="a")
            panel.grid(False)
        return figure


def _trained(steps: int) -> Run:
    """The course's own net after some steps."""
    run = Run(m02.network_forward, m02.train_step, np.zeros(81, bool))
    for _ in range(steps):
        run.go(0.01)
    return run


def _whose(tried: list[Drawn]) -> Drawn:
    """The most important of several messages: something wrong, something missing, else that all is the student's."""
    for source in ("wrong", "course"):
        if found := next((one for one in tried if one.source == source), None):
            return replace(found, message=found.message.replace(" draws", " trains"))
    return replace(tried[0], message="Trained by your `network_forward` and `train_step`.")


def stop_training() -> None:
    """Pause the card that is training, if one is."""
    card = TableTrainer.training and TableTrainer.training()
    if card:
        card.pause()
    TableTrainer.training = None


def table_trainer(forward: Function | None = None, step: Function | None = None) -> TableTrainer:
    """Train a net on the multiplication table with the functions that are given, and show how it gets on."""
    return TableTrainer(forward, step)
