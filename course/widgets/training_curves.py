"""A training while it runs: its loss, and the shares of right answers that it measures on the way (m18)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots
from course.widgets.base import Card, Drawn
from course.widgets.views import Curves

if TYPE_CHECKING:
    from course.lab.training import Run

MOST_POINTS, SECONDS = 240, 0.5  # of the loss; between two pictures
NOT_SHARES = {"step", "tokens", "seconds", "errors"}
ROLES = {"trained on": "value", "held out": "key"}


class TrainingCurves(Card):
    """The widget. Show it, and give it to `train` as `watch`: it repaints twice a second while the training works.

    A notebook shows it at once, although the cell goes on; `finish` then also renews the still picture that is kept in
    the file. `right` says of what the evaluations give the share.
    """

    def __init__(self, title: str, steps: int, right: str = "lines without a fault"):
        self.right = right
        self.title_text, self.steps, self.run, self.drawn_at, self._handle = title, steps, None, 0.0, None
        self.loss = Curves(
            title="Loss", x_label="step", y_label="nats", log_y=True,
            description="The loss at each step of the training, smoothed over a few steps",
        )  # fmt: skip
        self.share = Curves(
            title=right[:1].upper() + right[1:], x_label="step", y_label="share",
            description=f"The share of {right}, at each evaluation",
        )  # fmt: skip
        for curves in (self.loss, self.share):
            curves.layout.flex = "1 1 42%"  # side by side, on a narrow page too
        super().__init__(title, [], [self.loss, self.share])
        self.redraw()

    def __call__(self, run: Run) -> None:
        """Take note of a run after a step; repaint if it is time to."""
        self.run = run
        if time.monotonic() - self.drawn_at >= SECONDS:
            self.redraw()

    def start(self) -> TrainingCurves:
        """Show it in the notebook; returns itself."""
        from IPython.display import display

        self._handle = display(self, display_id=True)
        return self

    def finish(self) -> None:
        """Show the run's last state, and renew the still picture for pages without a kernel."""
        self.redraw()
        if self._handle is not None:
            self._handle.update(self)

    def redraw(self) -> None:
        """Draw what is known of the run so far."""
        self.drawn_at = time.monotonic()
        if self.run is None or len(self.run.losses) < 2:
            self._tell("Training begins.")
            return
        step, loss = smoothed(self.run.losses)
        self.loss.show(series=[{"name": "loss", "x": step, "y": loss, "role": "attention"}])
        if len(self.run.checks) > 1:
            self.share.show(series=self._shares())
        self._tell(self.words())

    def _shares(self) -> list[dict[str, Any]]:
        steps = [check["step"] for check in self.run.checks]
        return [
            {
                "name": name, "x": steps, "y": [check[name] for check in self.run.checks],
                "role": ROLES.get(name, "plain"), "dashed": name == "held out",
            }
            for name in self.run.checks[0]
            if name not in NOT_SHARES
        ]  # fmt: skip

    def words(self) -> str:
        """How far the run is: steps, tokens, CPU-seconds, and what the last evaluation found."""
        run = self.run
        text = f"Step {run.step} of at most {self.steps}: {run.tokens:,} tokens read, {run.seconds:.0f} CPU-seconds"
        if run.checks:
            found = [f"{name} {run.checks[-1][name]:.1%}" for name in run.checks[-1] if name not in NOT_SHARES]
            text += f". At step {run.checks[-1]['step']:.0f}, {self.right}: {', '.join(found)}" * bool(found)
        return text + "."

    def _tell(self, message: str) -> None:
        self.say(Drawn((), "yours", message, ()))

    def figure(self) -> Any:
        """Both curves as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
        left.set(xlabel="step", ylabel="loss in nats", title=self.title_text)
        right.set(xlabel="step", ylabel=self.right, ylim=(-0.03, 1.03))
        if self.run is None or not self.run.losses:
            return figure
        left.plot(*smoothed(self.run.losses), color=plots.ATTENTION)
        left.set_yscale("log")
        if self.run.checks:
            colours = {"value": plots.VALUE, "key": plots.KEY, "plain": plots.GREY}
            for one in self._shares():
                style = "--" if one["dashed"] else "-"
                right.plot(one["x"], one["y"], color=colours[one["role"]], linestyle=style, label=one["name"])
            right.legend()
        return figure


def smoothed(losses: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Steps and mean losses of at most MOST_POINTS groups of neighbouring steps."""
    size = -(-len(losses) // MOST_POINTS)
    starts = range(0, len(losses), size)
    means = [float(np.mean(losses[start : start + size])) for start in starts]
    return np.array([min(start + size, len(losses)) for start in starts]), np.maximum(means, 1e-6)


def training_curves(title: str, steps: int, right: str = "lines without a fault") -> TrainingCurves:
    """A live picture of a training: show it with `start`, give it to the training as `watch`, and `finish` it."""
    return TrainingCurves(title, steps, right)
