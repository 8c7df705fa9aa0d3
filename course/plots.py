"""One look for all static figures: roles keep their colour, text keeps its size, both themes stay readable."""

from __future__ import annotations

# Colour-blind safe; the same roles as in the widgets' theme (course/widgets/js/src/theme.css).
QUERY, KEY, VALUE, ATTENTION = "#1a4480", "#c24a00", "#16855a", "#8a2be2"
GREY = "#5f6672"


def use_style() -> None:
    """Set matplotlib's defaults for the course."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(
                color=[QUERY, KEY, VALUE, ATTENTION, GREY], linestyle=["-", "--", "-.", ":", "-"]
            ),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e9ebef",
            "font.size": 10,
            "legend.frameon": False,
        }
    )


def heatmap(axes, matrix, row_labels, column_labels, *, title: str = "", digits: int = 2, masked=None) -> None:
    """Draw a matrix of weights in [0, 1] with its numbers; masked cells are hatched and empty."""
    import numpy as np

    axes.imshow(np.asarray(matrix), cmap="Purples", vmin=0, vmax=1)
    axes.set_xticks(range(len(column_labels)), column_labels, color=KEY)
    axes.set_yticks(range(len(row_labels)), row_labels, color=QUERY)
    axes.grid(False)
    axes.set_title(title)
    for i, row in enumerate(matrix):
        for j, weight in enumerate(row):
            if masked is not None and masked[i][j]:
                axes.add_patch(_hatched(j, i))
            else:
                axes.text(
                    j, i, f"{weight:.{digits}f}", ha="center", va="center", color="white" if weight > 0.6 else "black"
                )


def _hatched(x: int, y: int):
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="white", edgecolor=GREY, hatch="///", linewidth=0)


def flow(axes, boxes: list[dict], arrows: list[dict], *, title: str = "", step: int = -1) -> None:
    """Draw the boxes and arrows of a `Flow` view; with a step, what comes later is pale.

    `boxes` and `arrows` are the view's own records: `plots.flow(axes, view.boxes, view.arrows)`.
    """
    places = {box["name"]: (box["x"], box["y"]) for box in boxes}
    for arrow in arrows:
        _arrow(axes, arrow, places[arrow["source"]], places[arrow["target"]], _strength(arrow, step))
    for box in boxes:
        _box(axes, box, _strength(box, step))
    axes.set_title(title)
    axes.set_axis_off()
    axes.margins(0.12)
    axes.invert_yaxis()


ROLE_COLOURS = {"query": QUERY, "key": KEY, "value": VALUE, "attention": ATTENTION}


def _strength(record: dict, step: int) -> float:
    return 1.0 if step < 0 or record.get("step", 0) <= step else 0.35


def _arrow(axes, arrow: dict, start: tuple[float, float], end: tuple[float, float], alpha: float) -> None:
    bent = "arc3,rad=-0.35" if arrow.get("kind") == "residual" else "arc3"
    weight = arrow.get("weight")
    width = 1.2 if weight is None else 0.4 + 3 * weight
    dashed = "dashed" if arrow.get("kind") == "weak" else "solid"
    look = {"arrowstyle": "-|>", "connectionstyle": bent, "color": GREY, "linewidth": width, "linestyle": dashed,
            "alpha": alpha, "shrinkA": 16, "shrinkB": 16}  # fmt: skip
    axes.annotate("", end, start, arrowprops=look)
    if arrow.get("label"):
        middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
        axes.text(*middle, arrow["label"], fontsize=7, color=GREY, ha="center", va="bottom", alpha=alpha)


def _box(axes, box: dict, alpha: float) -> None:
    colour = ROLE_COLOURS.get(box.get("role"), GREY)
    text = "\n".join(filter(None, [box["label"], box.get("shape", "")]))
    look = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colour, "linewidth": 1.4, "alpha": alpha}
    axes.text(box["x"], box["y"], text, ha="center", va="center", fontsize=8, bbox=look, alpha=max(alpha, 0.6))
    axes.plot(box["x"], box["y"], alpha=0)  # text alone would not widen the axes
