"""Grid of axes without frames, on which applications draw images."""

from typing import Any

import numpy as np


def grid(rows: int, columns: int, side: float = 0.95, title: float = 0.3) -> tuple[Any, np.ndarray]:
    """Return a figure and its axes ``(rows, columns)`` without frames.

    ``side`` is the length of an axis, and ``title`` the height of a title, in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * side, rows * (side + title)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for each in axes.flat:
        each.axis("off")
    return figure, axes
