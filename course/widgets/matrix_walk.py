"""Walk through a decoder's forward pass in three dimensions, cell by cell (m26)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import trained
from course.supplied import m26
from course.supplied.ch07 import flatten
from course.widgets.base import ATOL, RTOL, Card, Drawn, Driven, Stepper, button, switch
from course.widgets.forward_pass import Line, Pass, Scene, overview, stages, text, threads
from course.widgets.views import Formula, Heatmap, Matrices, number_text

END, MOST = ".", 3  # the token that ends an answer; passes at most
CLOSE, FAR = (-0.24, 0.2), (-0.25, 0.62)  # yaw and pitch, in radians
BY_ROW = ("stream_0", "blocks.0.norm_1", "blocks.0.attention.query", "blocks.0.ffn.hidden")
BY_HEAD = ("scores", "weights", "mix")


class MatrixFlow(Card):
    """The widget; the functions are the student's, with the signatures of `course.supplied.m26`, or None for ours.

    `model` is a trained decoder (`course.trained.Trained`), by default the one that knows the products.
    """

    def __init__(
        self, collect_trace: Callable[..., Any] | None = None, recompute_cell: Callable[..., Any] | None = None,
        recompute_attention_cell: Callable[..., Any] | None = None, prompt: str = "7*8=",
        model: trained.Trained | None = None,
    ):  # fmt: skip
        self.saved = model or trained.read(trained.FOLDER / "m26_products.safetensors")
        self.model = m26.StagedDecoder(self.saved.p, self.saved.heads)
        self.stages = stages(len(self.saved.p["blocks"]))
        self.p = {name: t.detach().numpy() for name, t in flatten(self.saved.p).items()}
        self.trace = Driven(
            collect_trace and self._arrays(collect_trace), self._arrays(m26.collect_trace), "collect_trace"
        )
        self.cell = Driven(recompute_cell, m26.recompute_cell, "recompute_cell")
        self.attention_cell = Driven(recompute_attention_cell, m26.recompute_attention_cell, "recompute_attention_cell")
        self._make_controls(prompt)
        self._make_views()
        super().__init__(
            "A forward pass, number by number",
            [
                self.prompt,
                self.whole,
                self.as_table,
                button("Look from the front again", self._look_again),
                self.scrub,
                self.stepper,
            ],
            [self.picture, self.sum, self.table],
        )
        self._listen()
        self._read_prompt(prompt)
        self.redraw()

    def _make_controls(self, prompt: str) -> None:
        self.prompt = w.Text(prompt, description="prompt", continuous_update=False, layout=w.Layout(width="190px"),
                             style={"description_width": "initial"})  # fmt: skip
        self.whole = switch(False, "whole model")
        self.as_table = switch(False, "numbers as a table")
        self.stepper = Stepper(names=["start"])
        self.scrub = w.IntSlider(0, 0, 1, description="step", readout=False, layout=w.Layout(width="260px"),
                                 style={"description_width": "initial"})  # fmt: skip

    def _make_views(self) -> None:
        self.picture = Matrices()
        self.sum = Formula(description="How the marked cell was made")
        self.sum.layout.min_height = "150px"  # what stands below shall not jump
        self.table = Heatmap(row_title="token", description="The numbers of this stage as a table")

    def _listen(self) -> None:
        self.listen(self.prompt, "value", self._read_prompt)
        self.listen(self.whole, "value", lambda _: None)
        self.listen(self.as_table, "value", lambda _: None)
        self.listen(self.stepper, "step", lambda step: setattr(self.scrub, "value", step))
        self.listen(self.scrub, "value", lambda step: setattr(self.stepper, "step", step))
        self.picture.observe(lambda change: self._enter(change["new"]["name"]), "clicked")
        self.picture.observe(lambda change: self._point(change["new"]), "hover")
        self.table.observe(lambda change: self._point_in_table(change["new"]), "hover")

    def _look_again(self) -> None:
        self.picture.resets += 1

    # ---- the passes ----

    def _arrays(self, collect: Callable[..., Any]) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
        """A function that collects a trace, as one from ids to arrays in the order of the stages.

        Each time it gets a model of its own: hooks that are left on it, or weights that are changed, spoil no other.
        """

        def run(tokens: np.ndarray) -> tuple[np.ndarray, ...]:
            model = m26.StagedDecoder(copy.deepcopy(self.saved.p), self.saved.heads)
            trace = collect(model, torch.as_tensor(tokens))
            return tuple(np.asarray(trace[name].detach()) for name in self.model.stages)

        return run

    def _read_prompt(self, prompt: str) -> None:
        """Run the model until it ends its answer; a prompt that it cannot read changes nothing but the message."""
        self.trouble = self._trouble(prompt)
        if self.trouble:
            return
        self.drawn, self.passes, self.rights = [], [], []  # what is right: None where the student's pass is
        tokens = self.saved.encode(prompt)[0].tolist()
        while len(self.passes) < MOST and len(tokens) <= self.saved.length:
            drawn = self.trace(np.array(tokens))
            self.drawn.append(drawn)
            self.passes.append(self._pass(tokens, drawn.values))
            self.rights.append(self._pass(tokens, drawn.expected) if drawn.source == "wrong" else None)
            tokens.append(int(np.argmax(drawn.expected[-1][-1])))
            if self.saved.vocabulary[tokens[-1]] == END:
                break
        self.answer = self.saved.decode(tokens[len(prompt) :])
        self.overviews = [overview(run, len(self.saved.p["blocks"])) for run in self.passes]
        self._name_steps()

    def _pass(self, tokens: list[int], arrays: tuple[np.ndarray, ...]) -> Pass:
        trace = dict(zip(self.model.stages, arrays, strict=True))
        return Pass(self.p, self.saved.heads, self.saved.vocabulary, list(tokens), trace)

    def _trouble(self, prompt: str) -> str:
        known = "".join(self.saved.vocabulary)
        if unknown := sorted(set(prompt) - set(known)):
            return f"The model does not know {', '.join(map(repr, unknown))}. It reads {known}"
        if not 1 <= len(prompt) <= self.saved.length:
            return f"The model reads 1 to {self.saved.length} characters, this prompt has {len(prompt)}."
        return ""

    def _name_steps(self) -> None:
        names = [
            f"{''.join(run.words)} \u2192 {self._title(run, stage)}" for run in self.passes for stage in self.stages
        ]
        here = self.stepper.step
        self.stepper.names = names
        self.scrub.max = len(names) - 1
        self.stepper.step = self.scrub.value = min(here, len(names) - 1)

    @staticmethod
    def _title(run: Pass, stage: Any) -> str:
        return run[stage.results(run)[0]].label.partition(", head")[0]

    @property
    def place(self) -> tuple[int, int]:
        """The number of the pass and of the stage in it."""
        return divmod(self.stepper.step, len(self.stages))

    @property
    def run(self) -> Pass:
        """The pass that is shown."""
        return self.passes[self.place[0]]

    # ---- what is shown ----

    def redraw(self) -> None:
        """Show the current stage of the current pass."""
        run, stage = self.run, self.stages[self.place[1]]
        scene = self.overviews[self.place[0]] if self.whole.value else stage.scene(run)
        self._show_picture(run, stage, scene)
        self._show_table(stage.results(run)[0])
        self.sum.show(lines=self._sentence(run, stage))
        self._say()

    def _show_picture(self, run: Pass, stage: Any, scene: Scene) -> None:
        far = self.whole.value
        yaw, pitch = FAR if far else CLOSE
        result, step = stage.results(run)[0], self.place[1]
        chosen = [result, len(run.tokens) - 1, run.chosen] if stage is self.stages[-1] else []
        later = self.stages[step + 1 :] if far else []
        faint = {name for stage in later for name in (*stage.results(run), *stage.sources)}
        faint -= {name for stage in self.stages[: step + 1] for name in (*stage.results(run), *stage.sources)}
        self.picture.show(
            matrices=[{**m.record(), "wrong": self._judged(m.name)[0]} for m in run.matrices.values()],
            scene=[{**place, **self._look(place, faint)} for place in scene.places],
            signs=scene.signs, links=threads(scene, run, stage) if far else [], current=result, hover=chosen, lit=[],
            yaw=yaw, pitch=pitch, greyed=self._stands_in,
            title=self._heading(run, stage), description=f"{run[result].label}: {stage.says}",
        )  # fmt: skip

    @property
    def _stands_in(self) -> bool:
        """Whether ours draws in the place of a student's function that does not work yet."""
        return self.trace.yours is not None and self.drawn[self.place[0]].source == "course"

    def _look(self, place: dict[str, Any], faint: set[str]) -> dict[str, Any]:
        """In the whole model names are short, what comes later is faint, and the current stage's name strong."""
        if not self.whole.value:
            return {}
        if place.get("floor"):
            return {"faint": place["name"] in faint}
        now = place["name"] in self.stages[self.place[1]].results(self.run)
        return {"faint": place["name"] in faint, "caption": "short", "strong": now}

    def _heading(self, run: Pass, stage: Any) -> str:
        read = "".join(run.words)
        return f"\u201c{read}\u201d, stage {self.place[1] + 1} of {len(self.stages)}: {self._title(run, stage)}"

    def _show_table(self, name: str) -> None:
        self.table.layout.display = None if self.as_table.value else "none"
        matrix, [wrong, expected] = self.run[name], self._judged(name)
        self.table.show(
            values=matrix.values, row_labels=matrix.rows, column_labels=matrix.columns, row_role=matrix.row_role,
            column_role=matrix.column_role, signed=matrix.signed, wrong=wrong, expected=expected, hover=[],
            title=f"{matrix.label}, {matrix.record()['shape']}",
        )  # fmt: skip

    def _judged(self, name: str) -> tuple[Any, Any]:
        """Where a student's stage differs, and what would be right; empty where it does not."""
        right = self.rights[self.place[0]]
        if right is None:
            return [], []
        return ~np.isclose(self.run[name].values, right[name].values, RTOL, ATOL, equal_nan=True), right[name].values

    def _sentence(self, run: Pass, stage: Any) -> list[Line]:
        lines = [[text(stage.says)]]
        if stage.name == "probabilities":
            odds = run["probabilities"].values[-1, run.chosen]
            token = self.saved.vocabulary[run.chosen]
            lines.append([text("chosen: "), text(f"\u201c{token}\u201d", style="bold"), text(f" with {odds:.4f}; "),
                          text(f"it is fed back, and the answer becomes \u201c{self.answer}\u201d")])  # fmt: skip
        return lines

    def _say(self) -> None:
        drawn = self.drawn[self.place[0]]
        if self.trouble:
            drawn = Drawn(drawn.values, "wrong", self.trouble, drawn.expected)
        elif drawn.source == "wrong":
            drawn = replace(drawn, message=self._first_difference(drawn))
        self.say(drawn)

    def _first_difference(self, drawn: Drawn) -> str:
        """By the stage's name."""
        stage = next(i for i in range(len(drawn.values)) if drawn.wrong(i).any())
        place = tuple(int(i) for i in np.argwhere(drawn.wrong(stage))[0])
        yours, right = (number_text(values[stage][place], 4) for values in (drawn.values, drawn.expected))
        return (
            f"Your `collect_trace` draws this, and it is not right yet: the first stage that differs is "
            f"`{self.model.stages[stage]}`, first at {list(place)} (yours {yours}, right {right})."
        )

    # ---- what the student points at ----

    def _enter(self, name: str) -> None:
        """A click on a stage of the whole model goes to that stage; close by, pointing has done all there is to do."""
        if not self.whole.value:
            return
        for number, stage in enumerate(self.stages):
            if name in stage.results(self.run):
                self.stepper.step = self.place[0] * len(self.stages) + number
                self.whole.value = False
                return

    def _point_in_table(self, cell: list[int]) -> None:
        if cell and not self._quiet:
            self.picture.hover = [self.picture.current, *cell]

    def _point(self, cell: list[Any]) -> None:
        """Light what made a cell, and write its sum."""
        if self._quiet:
            return
        stage = next((s for s in self.stages if cell and cell[0] in s.results(self.run)), None)
        if stage is None:  # a parameter, or nothing
            self.picture.show(lit=[])
            self.sum.show(lines=self._plain(cell) or self._sentence(self.run, self.stages[self.place[1]]))
            return
        name, row, column = cell
        made = stage.explain(self.run, name, row, column)
        there = {place["name"] for place in self.picture.scene}
        self.picture.show(lit=[one for one in made.lit if one["name"] in there])
        self.sum.show(lines=[self._name(name, row, column), *made.lines, *self._recomputed(stage, name, row, column)])
        if name != self.picture.current and stage is self.stages[self.place[1]]:
            self.picture.current = name
            self._show_table(name)

    def _name(self, name: str, row: int, column: int) -> Line:
        matrix = self.run[name]
        rows, columns = (labels[i] if labels else str(i) for labels, i in
                         ((matrix.rows, row), (matrix.columns, column)))  # fmt: skip
        shape = tuple(matrix.shape or matrix.values.shape)
        return [text(matrix.label, style="bold"), text(f" {shape}, row "), text(rows, matrix.row_role),
                text(", column "), text(columns, matrix.column_role)]  # fmt: skip

    def _plain(self, cell: list[Any]) -> list[Line]:
        if not cell:
            return []
        name, row, column = cell
        value = self.run[name].values[row, column]
        return [[*self._name(name, row, column), text(f": {value:.4f}")]]

    def _recomputed(self, stage: Any, name: str, row: int, column: int) -> list[Line]:
        """What the student's own function makes of the cell, where it covers the stage."""
        short, head = stage.name.rpartition(".")[2], name.rpartition(".")[2]
        trace = {name: torch.as_tensor(values) for name, values in self.run.trace.items()}
        if self.cell.yours and stage.name in BY_ROW:
            drawn = self.cell(stage.name, row, column, trace, self.saved.p)
        elif self.attention_cell.yours and stage.name.startswith("blocks.0.attention.") and short in BY_HEAD:
            drawn = self.attention_cell(short, int(head), row, column, trace)
        else:
            return []
        self.say(drawn)
        mark = {"yours": "the same", "wrong": "not the same", "course": "no number"}[drawn.source]
        yours = f"{float(drawn.values[0]):.4f}" if drawn.source != "course" else ""
        return [[text(f"by your function: {yours} ({mark})")]]

    def figure(self) -> Any:
        """All stages of the pass as heat-maps, as a figure for print."""
        import matplotlib.pyplot as plt

        names = [name for stage in self.stages for name in stage.results(self.run)]
        figure, grid = plt.subplots(-(-len(names) // 5), 5, figsize=(11, 1.15 * -(-len(names) // 5)))
        for axes in grid.flat:
            axes.axis("off")
        for axes, name in zip(grid.flat, names, strict=False):
            matrix = self.run[name]
            values = np.where(np.isfinite(matrix.values), matrix.values, np.nan)
            reach = np.nanmax(np.abs(values)) or 1.0
            low, colours = (-reach, "PuOr_r") if matrix.signed else (0, "Purples")
            axes.imshow(values, cmap=colours, vmin=low, vmax=reach if matrix.signed else 1)
            axes.set_title(matrix.label, fontsize=8)
        figure.suptitle(f"\u201c{''.join(self.run.words)}\u201d through the model, stage by stage")
        return figure


def matrix_flow(
    collect_trace: Callable[..., Any] | None = None, recompute_cell: Callable[..., Any] | None = None,
    recompute_attention_cell: Callable[..., Any] | None = None, prompt: str = "7*8=",
    model: trained.Trained | None = None,
) -> MatrixFlow:  # fmt: skip
    """Show a decoder's forward pass, traced and recomputed by the functions that are given."""
    return MatrixFlow(collect_trace, recompute_cell, recompute_attention_cell, prompt, model)
