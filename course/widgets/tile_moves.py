"""Watch tiles move between global memory and the chip, as a causal attention kernel asks for them (m22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots
from course.supplied import m22
from course.widgets.base import Card, Drawn, Stepper, column
from course.widgets.views import Bars, Flow, Heatmap

N, D = 64, 16  # queries, which are as many as keys; width of a head
SIDES = [16, 32, 64]
TENSORS = ("q", "k", "v", "out", "lse")  # as the lesson's kernel names them
ROLES = {"q": "query", "k": "key", "v": "value", "out": "attention", "lse": "plain"}
NAME = "causal_kernel"


@dataclass
class Move:
    """One tile on its way: `program` asks for (or stores) rows `first` to `last` of a tensor."""

    program: int
    tensor: str
    loads: bool
    first: int
    last: int
    bytes: int
    on_chip: int  # afterwards

    def __str__(self) -> str:
        verb = "loads" if self.loads else "stores"
        return f"program {self.program} {verb} {self.tensor}, rows {self.first} to {self.last}"


@dataclass
class Run:
    """What a kernel did with one size of tiles."""

    moves: list[Move] = field(default_factory=list)
    out: np.ndarray | None = None
    peak: int = 0
    finding: str = ""

    def bytes(self, tensor: str, until: int | None = None) -> int:
        """Bytes of one tensor that were moved in the first `until` moves."""
        return sum(move.bytes for move in self.moves[:until] if move.tensor == tensor)

    def tiles(self, sides: tuple[int, int], until: int | None = None) -> np.ndarray:
        """How often each tile of keys was loaded for each tile of queries."""
        bm, bn = sides
        counts = np.zeros((N // bm, N // bn))
        for move in self.moves[:until]:
            if move.tensor == "k" and move.loads and 0 <= move.program < len(counts) and 0 <= move.first < N:
                counts[move.program, move.first // bn] += 1
        return counts


def run_of(kernel: Any, sides: tuple[int, int]) -> Run:
    """Launch a kernel in the simulator and follow its tiles. Raises NotImplementedError, TritonMissing."""
    from kernels.notebook import TritonMissing, require_triton

    require_triton()
    from kernels.simulator import record

    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, N, D, generator=generator) for _ in range(3))
    run = Run()
    with record(requests=True) as traces:
        try:
            run.out = m22.launch_causal(kernel, q, k, v, sides)[0][0].numpy()
        except (NotImplementedError, TritonMissing):
            raise
        except Exception as error:  # a student's kernel may raise anything
            run.finding = f"{type(error).__name__}: {str(error)[:300]}"
    for trace in traces:
        run.moves += _moves(trace)
        run.peak = max(run.peak, trace.peak_tile_bytes)
    return run


def _moves(trace: Any) -> list[Move]:
    names = dict(zip(trace.tensors, TENSORS, strict=False))  # by their order: a student may call them otherwise
    found = []
    for program, requests in enumerate(trace.requests or []):
        for r in requests:
            tensor = names.get(r.tensor, r.tensor)
            width = 1 if tensor == "lse" else D
            kept = r.on_chip + (r.bytes if r.kind == "load" else 0)
            found.append(Move(program, tensor, r.kind == "load", r.first // width, r.last // width, r.bytes, kept))
    return found


class TileTraffic(Card):
    """The widget; `kernel` is the student's causal_kernel, or None for the course's own."""

    def __init__(self, kernel: Any = None):
        self.kernel = kernel
        self._known: dict[tuple[bool, tuple[int, int]], Run] = {}
        style = {"description_width": "initial"}
        self.bm, self.bn = (
            w.SelectionSlider(options=SIDES, value=16, description=label, style=style, layout=w.Layout(width="300px"))
            for label in ("BM, queries in a tile", "BN, keys in a tile")
        )
        self.stepper = Stepper(["nothing moved yet"])
        self.flow = Flow(title="Who moves")
        self.tiles = Heatmap(
            title="Tiles of scores", row_title="queries", column_title="keys", row_role="query", column_role="key",
            digits=0, vmin=0.0, vmax=2.0, legend=False,
        )  # fmt: skip
        self.bars = Bars(role="plain", heading_before="Bytes to and from global memory")
        beside = column([self.tiles, self.bars])
        beside.layout.flex = "1 1 320px"
        super().__init__(
            "Tiles between global memory and the chip", [self.bm, self.bn, self.stepper], [self.flow, beside]
        )
        for control in (self.bm, self.bn):
            self.listen(control, "value", lambda _: self._start_over())
        self.listen(self.stepper, "step", lambda _: None)
        self._start_over()
        self.redraw()

    @property
    def sides(self) -> tuple[int, int]:
        """BM and BN."""
        return self.bm.value, self.bn.value

    def runs(self) -> tuple[Run, Run, Drawn]:
        """What is drawn, what would be right, and whose it is, in words."""
        ours = self._run(False)
        nothing: tuple[np.ndarray, ...] = ()
        if self.kernel is None:
            return (
                ours,
                ours,
                Drawn(nothing, "course", f"The course's own `{NAME}` draws this. Yours will soon.", nothing),
            )
        try:
            yours = self._run(True)
        except NotImplementedError:
            text = f"`{NAME}` is not written yet: the course's version draws."
            return ours, ours, Drawn(nothing, "course", text, nothing)
        if not yours.moves:
            text = f"Your `{NAME}` moved nothing. {yours.finding} The course's version draws."
            return ours, ours, Drawn(nothing, "course", text, nothing)
        return yours, ours, Drawn(nothing, *self._judged(yours, ours), nothing)

    def _run(self, yours: bool) -> Run:
        key = yours, self.sides
        if key not in self._known:
            self._known[key] = run_of(self.kernel if yours else m22.causal_kernel, self.sides)
        return self._known[key]

    @staticmethod
    def _judged(yours: Run, ours: Run) -> tuple[str, str]:
        if yours.finding:
            return "wrong", f"The simulator stopped your `{NAME}` here. {yours.finding}"
        if yours.out is None or ours.out is None or not np.allclose(yours.out, ours.out, 1e-2, 1e-2):
            return "wrong", f"Your `{NAME}` draws this, and its result is not right yet."
        more = len(yours.moves) - len(ours.moves)
        if more > 0:
            return "wrong", f"Your `{NAME}` gives the right result, but it moves {more} tiles more than it needs to."
        return "yours", f"Drawn by your `{NAME}`."

    def _start_over(self) -> None:
        try:
            run = self.runs()[0]
        except ImportError:
            return
        self.stepper.names = [str(move) for move in run.moves] or ["nothing moved"]

    def redraw(self) -> None:
        """Show the moves up to the chosen one."""
        try:
            run, right, drawn = self.runs()
        except ImportError as error:  # no Triton here
            self.say(Drawn((), "course", str(error), ()))
            return
        step = min(self.stepper.step, max(len(run.moves) - 1, 0))
        self._show_tiles(run, right, step, drawn.source)
        self._show_flow(run, step, drawn.source)
        self._show_bars(run, step, drawn.source)
        self.say(drawn)

    def _show_tiles(self, run: Run, right: Run, step: int, source: str) -> None:
        so_far, whole, wanted = run.tiles(self.sides, step + 1), run.tiles(self.sides), right.tiles(self.sides)
        bm, bn = self.sides
        skipped = int((whole == 0).sum())
        self.tiles.show(
            values=so_far, masked=(whole == 0) & (wanted == 0), wrong=(whole != wanted), expected=wanted,
            row_labels=[f"{i}-{i + bm - 1}" for i in range(0, N, bm)],
            column_labels=[f"{j}-{j + bn - 1}" for j in range(0, N, bn)],
            selected_row=min(run.moves[step].program, len(so_far) - 1) if run.moves else -1,
            greyed=source == "course",
            note=f"1: this tile of keys was loaded for these queries. Hatched: skipped, {skipped} of {whole.size}.",
            description=f"Tiles of scores: {int(so_far.sum())} computed so far, {int(whole.sum())} in all",
        )  # fmt: skip

    def _show_flow(self, run: Run, step: int, source: str) -> None:
        move = run.moves[step]
        boxes = [
            {"name": t, "label": t, "x": 0, "y": i, "role": ROLES[t], "shape": f"{N}" if t == "lse" else f"{N} x {D}",
             "step": int(t == move.tensor)}
            for i, t in enumerate(TENSORS)
        ]  # fmt: skip
        chip = {"name": "chip", "label": f"chip, program {move.program}", "x": 2, "y": 2, "width": 1.6, "role": "plain",
                "shape": f"{move.on_chip:,} bytes", "step": 1}  # fmt: skip
        rows = f"rows {move.first}-{move.last}"
        arrows = []
        for t in TENSORS:
            source_name, target = (t, "chip") if t in "qkv" else ("chip", t)
            now = {"step": 1, "kind": "flow", "label": rows} if t == move.tensor else {"step": 0, "kind": "weak"}
            arrows.append({"source": source_name, "target": target, **now})
        self.flow.show(
            boxes=[*boxes, chip], arrows=arrows, step=1, greyed=source == "course",
            note=f"Left: global memory. Right: tiles in one program, at most {run.peak:,} bytes at once.",
            description=f"{move}: {move.bytes:,} bytes; {move.on_chip:,} bytes are on the chip",
        )  # fmt: skip

    def _show_bars(self, run: Run, step: int, source: str) -> None:
        labels = [*TENSORS, "all"]
        so_far, whole = ([run.bytes(t, end) for t in TENSORS] for end in (step + 1, None))
        so_far, whole = [*so_far, sum(so_far)], [*whole, sum(whole)]
        top = float(max(whole) or 1)
        columns = [
            {"title": "so far", "values": so_far, "vmax": top, "digits": 0},
            {"title": "in all", "values": whole, "vmax": top, "digits": 0},
        ]
        self.bars.show(
            labels=labels, columns=columns, greyed=source == "course",
            description=f"{so_far[-1]:,} bytes moved so far, {whole[-1]:,} in all",
        )  # fmt: skip

    def figure(self) -> Any:
        """All tiles and all bytes, for print."""
        import matplotlib.pyplot as plt

        plots.use_style()
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.2))
        try:
            run = self.runs()[0]
        except ImportError as error:
            left.text(0.0, 0.5, str(error)[:60], wrap=True)
            return figure
        left.imshow(run.tiles(self.sides), cmap="Purples", vmin=0, vmax=2)
        left.set(title="tiles of scores computed", xlabel=f"tiles of {self.bn.value} keys")
        left.set_ylabel(f"tiles of {self.bm.value} queries")
        left.grid(False)
        right.barh(TENSORS, [run.bytes(t) for t in TENSORS], color=plots.ATTENTION)
        right.invert_yaxis()
        right.set(title="bytes to and from global memory")
        return figure


def tile_traffic(causal_kernel: Callable[..., Any] | None = None) -> TileTraffic:
    """Show the tiles that a causal kernel moves; hand it yours."""
    return TileTraffic(causal_kernel)
