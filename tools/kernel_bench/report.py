"""What was measured, as a table, as CSV, as a plot; the ladder step by step; the targets."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from kernels.tuned import LADDER
from tools.kernel_bench.measure import Row

SIZES = ("batch", "heads", "n", "d", "causal", "rows", "columns", "m", "k", "numbers")
FIGURES = ("error", "right", "ms", "tflops", "gbs", "of_matmul", "of_copy", "ratio", "note")
NOT_MEASURED = "-"
# Time of torch's best backend / ours, for lengths from 4096 to 8192 on an H200; by pass, d, causal.
TARGETS = {
    ("forward", 64, False): 1.10, ("forward", 64, True): 1.00,
    ("forward", 128, False): 0.95, ("forward", 128, True): 0.90,
    ("backward", 64, False): 0.85, ("backward", 64, True): 0.85,
    ("backward", 128, False): 0.80, ("backward", 128, True): 0.80,
}  # fmt: skip
TARGET_LENGTHS = range(4096, 8193)


def table(rows: Iterable[Row]) -> list[str]:
    """A Markdown table, a line for each way of each case."""
    head = ("kernel", "pass", "size", "way", "error", "right", "ms", "TFLOP/s", "GB/s", "of matmul", "of copy", "ratio")
    return [_line(head), _line([":---"] * 4 + ["---:"] * 8), *map(line_of, rows)]


def line_of(row: Row) -> str:
    """One line of the table."""
    size = " ".join(f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in row.size.items())
    right = {True: "yes", False: "NO", None: NOT_MEASURED}[row.right]
    figures = [
        _text(row.ms, ".3f"), _text(row.tflops, ".0f"), _text(row.gbs, ".0f"),
        _text(row.of_matmul, ".0%"), _text(row.of_copy, ".0%"), _text(row.ratio, ".2f"),
    ]  # fmt: skip
    way = f"{row.way} ({row.note})" if row.note else row.way
    return _line([row.kernel, row.what, size, way, _text(row.error, ".1e"), right, *figures])


def _text(value: float | None, form: str) -> str:
    return NOT_MEASURED if value is None else format(value, form)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write_csv(path: Path, rows: Iterable[Row], about: str) -> None:
    """All rows; the last column, the same in each, says where they were measured."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("kernel", "pass", "way", *SIZES, *FIGURES, "measured on"))
        for row in rows:
            sizes = [row.size.get(name, "") for name in SIZES]
            figures = [getattr(row, name) for name in FIGURES]
            writer.writerow([row.kernel, row.what, row.way, *sizes, *("" if x is None else x for x in figures), about])


def ladder(rows: Iterable[Row]) -> list[str]:
    """The forward pass rung by rung: TFLOP/s, and the time of the rung before / its own."""
    times = {_place(row): row for row in rows if row.kernel == "flash_attention" and row.what == "forward"}
    lines = [_line(("rung", "adds", "n", "d", "causal", "TFLOP/s", "gain")), _line([":---"] * 2 + ["---:"] * 5)]
    for n, d, causal in dict.fromkeys(place[1:] for place in times):
        before = None
        for rung in LADDER:
            row = times.get((rung.name, n, d, causal))
            if row is None:  # left out
                continue
            gain = before / row.ms if before and row.ms else None
            figures = _text(row.tflops, ".0f"), _text(gain, ".2f")
            lines.append(_line((rung.name, rung.adds, f"{n}", f"{d}", f"{int(causal)}", *figures)))
            before = row.ms
    return lines


def _place(row: Row) -> tuple[str, int, int, bool]:
    return row.way, row.size["n"], row.size["d"], row.size["causal"]


def targets(rows: Iterable[Row]) -> list[str]:
    """Each target, and the ratio that our best way reaches at the length where it is worst."""
    best: dict[tuple, dict[int, float]] = {}
    for row in rows:
        if row.kernel == "flash_attention" and row.is_ours and row.ratio and row.size["n"] in TARGET_LENGTHS:
            at = best.setdefault((row.what, row.size["d"], row.size["causal"]), {})
            at[row.size["n"]] = max(row.ratio, at.get(row.size["n"], 0.0))
    lines = [_line(("pass", "d", "causal", "target", "ratio", "reached")), _line([":---", *["---:"] * 5])]
    for (what, d, causal), target in TARGETS.items():
        got = min(best.get((what, d, causal), {}).values(), default=None)
        reached = NOT_MEASURED if got is None else "yes" if got >= target else "no"
        lines.append(_line((what, f"{d}", f"{int(causal)}", f"{target:.2f}", _text(got, ".2f"), reached)))
    return lines


def plot(path: Path, rows: Iterable[Row], about: str) -> None:
    """Attention's TFLOP/s by length: a panel for each pass, d and mask, a line for each way."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    timed = [row for row in rows if row.kernel == "flash_attention" and row.tflops is not None]
    panels = list(dict.fromkeys((row.what, row.size["d"], row.size["causal"]) for row in timed))
    columns = max(1, min(4, len(panels)))
    height = max(1, -(-len(panels) // columns))
    figure, axes = plt.subplots(height, columns, figsize=(4.5 * columns, 3.6 * height), squeeze=False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw(axis, panel, [row for row in timed if (row.what, row.size["d"], row.size["causal"]) == panel])
    figure.suptitle(about, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw(axis: object, panel: tuple[str, int, bool], rows: list[Row]) -> None:
    what, d, causal = panel
    for way in dict.fromkeys(row.way for row in rows):
        mine = [row for row in rows if row.way == way]
        style = "--" if way.startswith("torch") else "-"
        axis.plot([row.size["n"] for row in mine], [row.tflops for row in mine], style, marker="o", ms=3, label=way)
    axis.set(title=f"{what}, d = {d}{', causal' if causal else ''}", xlabel="length", ylabel="TFLOP/s", ylim=(0, None))
    axis.set_xscale("log", base=2)
    axis.legend(fontsize=7)
