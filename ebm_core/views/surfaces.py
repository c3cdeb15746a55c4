"""Pictures of an energy and of a loss: a plane through data, a plane through parameters; to two places.

:func:`draw_surface` makes a Matplotlib figure of either, :func:`log_to_tensorboard` puts it into an event
file. Both libraries are imported only there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ebm_core.energies.gradients import Energy, checked
from ebm_core.views.landscapes import PrincipalPlane, contour_levels, near_data

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """``height`` ``(len(second), len(first))``, NaN where masked, over two axes; ``points`` ``(n, 2)``."""

    first: Array
    second: Array
    height: Array
    points: Array
    labels: tuple[str, str, str]


@torch.no_grad()
def plane_slice(energy: Energy, data: Tensor, resolution: int = 60, radius: float = 0.5) -> Surface:
    """E over the principal plane of ``data`` ``(n, *shape)``, all other components at their mean.

    Places without 3 data within ``radius`` (standard deviations, in the plane) are NaN: there a learned
    energy is extrapolation. Raises ``ValueError`` where the energy has the wrong shape, or the data fewer
    than 3 rows or 2 columns.
    """
    flat = data.flatten(1).double().cpu().numpy()
    plane = PrincipalPlane.of(flat)
    points = plane.project(flat)
    low, high = points.min(0) - radius, points.max(0) + radius
    first, second = (np.linspace(low[i], high[i], resolution) for i in range(2))
    at = np.stack(np.meshgrid(first, second), -1).reshape(-1, 2)
    lifted = torch.as_tensor(plane.lift(at)).to(data).view(-1, *data.shape[1:])
    height = checked(energy, lifted).double().cpu().numpy()
    height[~near_data(at, points, radius)] = np.nan
    one, two = (f"component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(plane.share))
    return Surface(first, second, height.reshape(resolution, resolution), points, (one, two, "energy, nats"))


@torch.no_grad()
def loss_surface(
    module: nn.Module,
    loss: Callable[[], Tensor],
    generator: torch.Generator,
    span: float = 1.0,
    resolution: int = 25,
) -> Surface:
    """``loss()`` at θ + a·δ₁ + b·δ₂, a and b in ±``span``, with θ the parameters of ``module`` now.

    Directions δ are Gaussian, each filter (row of a weight) scaled to the norm of θ's own and biases left
    out, so that the picture does not depend on how the network is scaled. ``loss`` takes no argument and must
    use fixed data and noise. The parameters are put back. Raises ``ValueError`` where no height is finite.

    Reference: Li et al. (2018), Visualizing the loss landscape of neural nets, NeurIPS.
    """
    weights = [p for p in module.parameters() if p.dim() > 1]
    origin = [w.clone() for w in weights]
    directions = [[_like_filters(w, generator) for w in weights] for _ in range(2)]
    axis = np.linspace(-span, span, resolution)
    height = np.empty((resolution, resolution))
    try:
        for i, b in enumerate(axis):
            for j, a in enumerate(axis):
                for w, w0, one, two in zip(weights, origin, *directions, strict=True):
                    w.copy_(w0 + float(a) * one + float(b) * two)
                height[i, j] = float(loss())
    finally:
        for w, w0 in zip(weights, origin, strict=True):
            w.copy_(w0)
    if not np.isfinite(height).any():
        raise ValueError("loss: not finite anywhere on the surface")
    labels = ("first direction, filter norms", "second direction, filter norms", "loss")
    return Surface(axis, axis, height, np.zeros((1, 2)), labels)


def draw_surface(surface: Surface) -> Any:
    """A Matplotlib figure with filled contours, close together at the bottom, and the points on top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.8), layout="constrained")
    axes = figure.subplots()
    x, y, name = surface.labels
    drawn = axes.contourf(
        surface.first,
        surface.second,
        np.ma.masked_invalid(surface.height),
        levels=contour_levels(surface.height),
        cmap="cividis",
    )
    axes.plot(*surface.points.T, ".", color="white", markersize=2, alpha=0.5)
    axes.set(xlabel=x, ylabel=y)
    figure.colorbar(drawn, label=name)
    return figure


def log_to_tensorboard(folder: Path, tag: str, surface: Surface, step: int = 0) -> None:
    """Write the picture of ``surface`` as image ``tag`` into an event file in ``folder``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from torch.utils.tensorboard import SummaryWriter

    canvas = FigureCanvasAgg(draw_surface(surface))
    canvas.draw()
    with SummaryWriter(str(folder)) as writer:
        writer.add_image(tag, np.asarray(canvas.buffer_rgba())[..., :3], step, dataformats="HWC")


def _like_filters(weight: Tensor, generator: torch.Generator) -> Tensor:
    direction = torch.empty_like(weight).normal_(generator=generator)
    rows = direction.flatten(1)
    norms = weight.flatten(1).norm(dim=1, keepdim=True)
    return (rows / rows.norm(dim=1, keepdim=True) * norms).view_as(weight)
