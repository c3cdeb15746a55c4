"""Energy landscape of an application: contours over the first two principal components of the examples."""

import io
from pathlib import Path

import numpy as np

from ebm_core.views.landscapes import PrincipalPlane, near_data
from tasks.applications.harness.application import Scene
from tasks.reporting.maps import canvas, drawing, paint, png

SIDE = 90
"""Number of grid points along each axis."""
SHOWN = 1500
"""Largest number of examples that are drawn."""
COLOURS, MARKERS = ("#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#f0e442", "#0072b2"), "os^Dv"
"""Colours of Okabe and Ito (2008), which people with any colour vision tell apart, and shapes of the dots."""


def draw(scene: Scene) -> bytes:
    """Draw contours of the energy with the examples on top, as PNG. Areas without examples are blank.

    At a point of the plane, all other principal components have their mean.
    """
    plane = PrincipalPlane.of(scene.points)
    where = plane.project(scene.points)
    low, high = np.quantile(where, [0.005, 0.995], axis=0)
    pad = 0.08 * (high - low)
    across, up = (np.linspace(a, b, SIDE) for a, b in zip(low - pad, high + pad, strict=True))
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    near = near_data(grid, where, radius=float(0.07 * np.hypot(*(high - low))))
    energy = np.full(len(grid), np.nan)
    energy[near] = scene.energy(plane.lift(grid[near]))
    bottom, top = np.nanquantile(energy, [0, 0.98])
    # Without the bound, a few points of very high energy would leave a single colour for all others.
    energy = np.minimum(energy, top)
    with drawing:
        figure, axes = canvas()
        levels = np.linspace(bottom, top + 1e-9, 22)
        paint(figure, axes, across, up, energy.reshape(SIDE, SIDE), "energy", levels)
        thin = np.unique(np.linspace(0, len(where) - 1, min(len(where), SHOWN)).round().astype(int))
        for i, label in enumerate(dict.fromkeys(scene.labels.tolist())):
            rows = thin[scene.labels[thin] == label]
            axes.scatter(
                *where[rows].T,
                s=11,
                c=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                edgecolors="white",
                linewidths=0.3,
                alpha=0.85,
                label=label,
            )
        axes.legend(loc="best", fontsize=8, framealpha=0.85)
        axes.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
        for side, axis, share in zip(
            plane.axes, (axes.set_xlabel, axes.set_ylabel), plane.share, strict=True
        ):
            largest = ", ".join(scene.columns[k] for k in np.argsort(-np.abs(side))[:3])
            axis(f"{largest}  ({100 * share:.0f} % of variance)")
        return png(figure)


def log_to_tensorboard(folder: Path, picture: bytes, curves: dict[str, list[float]]) -> None:
    """Log the landscape and the training curves as TensorBoard events in ``folder``."""
    from matplotlib.image import imread
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        writer.add_image("landscape", imread(io.BytesIO(picture), format="png")[..., :3], dataformats="HWC")
        for name, values in curves.items():
            for step, value in enumerate(values):
                writer.add_scalar(name, value, step)
