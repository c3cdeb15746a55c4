"""Contour maps of an energy as PNG, with the same bytes for the same numbers."""

import io
import threading
from typing import Any

import numpy as np
import pandas as pd

ENERGY = "energy −log p, nats"
CEILING = 14.0
"""Nats above the lowest energy at which the colour scale ends."""
COLOURS = "cividis"
"""Colour map, from dark blue to yellow. It is perceptually uniform, also without red or green cones."""
DOTS_PER_INCH = 120

drawing = threading.Lock()
"""Lock for drawing, because domains run as threads and matplotlib's caches are not thread-safe."""


def canvas() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.2), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def paint(
    figure: Any,
    axes: Any,
    across: np.ndarray,
    up: np.ndarray,
    energy: np.ndarray,
    label: str = ENERGY,
    levels: np.ndarray | None = None,
) -> None:
    """Draw filled contours with a colour bar, at log-spaced levels unless ``levels`` are given."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    from ebm_core.views.landscapes import contour_levels

    shown = np.minimum(energy, np.nanmin(energy) + CEILING)
    levels = contour_levels(shown, 16) if levels is None else levels
    colours = colormaps[COLOURS]
    norm = BoundaryNorm(levels, colours.N)
    filled = axes.contourf(across, up, np.ma.masked_invalid(shown), levels=levels, cmap=colours, norm=norm)
    axes.contour(
        across, up, np.ma.masked_invalid(shown), levels=levels, colors="white", linewidths=0.35, alpha=0.6
    )
    bar = figure.colorbar(
        filled, ax=axes, pad=0.02, aspect=32, ticks=levels[:: max(1, len(levels) // 6)], format="%.2f"
    )
    bar.set_label(label)
    bar.outline.set_visible(False)


def points(axes: Any, across: Any, up: Any, tested: pd.DataFrame, sized: bool = False) -> None:
    """Draw a dot for each test date, and label those of the five highest energies with the date.

    If ``sized``, dots of higher energy are larger.
    """
    across, up = np.asarray(across, float), np.asarray(up, float)
    energy = -tested["log_density"].to_numpy()
    order = np.argsort(energy, kind="stable")
    size: Any = 8
    if sized:
        size = 6 + 70 * np.clip((energy - np.quantile(energy, 0.5)) / (np.ptp(energy) or 1.0), 0, 1)[order]
    axes.scatter(across[order], up[order], s=size, c="white", edgecolors="#1c2321", linewidths=0.4, alpha=0.8)
    shown = "%Y-%m-%d" if pd.Series(tested["time"]).dt.day.nunique() > 1 else "%Y-%m"
    middle = sum(axes.get_xlim()) / 2
    for i in order[::-1][:5]:
        rightwards = across[i] < middle
        axes.annotate(
            f"{tested['time'].iloc[i]:{shown}}",
            (across[i], up[i]),
            xytext=(6 if rightwards else -6, 5),
            ha="left" if rightwards else "right",
            textcoords="offset points",
            fontsize=7.5,
            color="#1c2321",
            bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": "none", "alpha": 0.78},
        )


def without_formulas(figure: Any) -> None:
    """Let texts be drawn as they are, because a name such as ``US$/A$`` is no formula."""
    from matplotlib.text import Text

    for each in figure.findobj(Text):
        each.set_parse_math(False)


def png(figure: Any) -> bytes:
    """Return a figure as PNG without date or version, so that the same figure gives the same bytes."""
    without_formulas(figure)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return memory.getvalue()
