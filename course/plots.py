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
