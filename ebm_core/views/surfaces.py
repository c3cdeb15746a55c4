"""Surfaces of an energy over a plane through the data, and of a loss over a plane through the parameters.

:func:`draw_surface` draws either with Matplotlib, and :func:`log_to_tensorboard` writes it to a TensorBoard
event file. The two libraries are imported only in these functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ebm_core.base.arguments import check_generator, check_points, check_positive, check_whole
from ebm_core.energies.gradients import Energy, checked
from ebm_core.energies.noise import normal_like
from ebm_core.views.landscapes import PrincipalPlane, contour_levels, near_data

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """Result of :func:`plane_slice` or :func:`loss_surface`.

    ``height`` ``(len(second), len(first))`` is a function of the two axes ``first`` and ``second`` and NaN
    where masked. ``points`` ``(n, 2)`` are coordinates of data, and ``labels`` name the two axes and the
    height.
    """

    first: Array
    second: Array
    height: Array
    points: Array
    labels: tuple[str, str, str]


@torch.no_grad()
def plane_slice(energy: Energy, data: Tensor, resolution: int = 60, radius: float = 0.5) -> Surface:
    """Evaluate an energy over the principal plane of data, with all other components at their mean.

    Points with fewer than 3 data within ``radius`` are NaN, because a learned energy is an extrapolation
    there.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    data : Tensor, shape (n, *shape)
        Data, with 3 rows and 2 components or more.
    resolution : int, default 60
        Points along each axis.
    radius : float, default 0.5
        Distance in the plane, in standard deviations of the data.

    Returns
    -------
    Surface
        The energy ``height`` in nats over two axes in standard deviations, and the data in the plane.

    Raises
    ------
    ValueError
        If the energy has the wrong shape, if the data have fewer than 3 rows or 2 components or are not
        finite, if ``resolution`` is below 2, or if ``radius`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from ebm_core import GaussianEnergy, plane_slice
    >>> energy = GaussianEnergy(torch.zeros(3), torch.diag(torch.tensor([4.0, 2.0, 1.0])))
    >>> x = energy.sample(300, torch.Generator().manual_seed(0))
    >>> surface = plane_slice(energy, x, resolution=30)
    >>> surface.height.shape, surface.points.shape
    ((30, 30), (300, 2))
    >>> bool(np.isnan(surface.height).any())  # where there are no data
    True
    """
    check_points("data", data, "(n, *shape)")
    if data.dim() < 2 or len(data) < 3 or not torch.isfinite(data).all():
        raise ValueError(f"data: shape {tuple(data.shape)}; expected finite (n, *shape), three rows or more")
    check_whole("resolution", resolution, 2)
    check_positive("radius", radius)
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
    """Evaluate a loss over a plane through the present parameters θ of a module, at θ + a·δ₁ + b·δ₂.

    a and b vary within ±``span``. The directions δ are Gaussian. Each filter (row of a weight) of δ is scaled
    to the norm of that filter of θ, and biases are not varied, so that the surface does not depend on the
    scale of the weights. The parameters are restored afterwards.

    Parameters
    ----------
    module : nn.Module
        Module whose weights are varied.
    loss : callable
        Function without arguments that returns the loss of the module. It must use fixed data and noise.
    generator : torch.Generator
        Source of the directions.
    span : float, default 1.0
        Extent in each direction, in norms of the filters.
    resolution : int, default 25
        Points along each axis. The loss is evaluated ``resolution``² times.

    Returns
    -------
    Surface
        The ``height``, in the units of the loss, over two axes.

    Raises
    ------
    ValueError
        If ``span`` is not positive, if ``resolution`` is below 2, or if no height is finite.

    References
    ----------
    Li et al. (2018), Visualizing the loss landscape of neural nets, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DenoisingScoreMatching, MLPEnergy, loss_surface
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy, x = MLPEnergy(2, (8,), generator=generator), torch.randn(50, 2, generator=generator)
    >>> objective = DenoisingScoreMatching(0.5)
    >>> def loss():
    ...     return objective.loss(energy, x, torch.Generator().manual_seed(1))
    >>> surface = loss_surface(energy, loss, generator, resolution=5)
    >>> surface.height.shape
    (5, 5)
    >>> bool(abs(surface.height[2, 2] - loss().item()) < 1e-5)  # the middle is the loss itself
    True
    """
    check_positive("span", span)
    check_whole("resolution", resolution, 2)
    check_generator(generator)
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
        raise ValueError("loss: not finite anywhere on the surface; try a smaller span")
    labels = ("first direction, filter norms", "second direction, filter norms", "loss")
    return Surface(axis, axis, height, np.zeros((1, 2)), labels)


def draw_surface(surface: Surface) -> Any:
    """Draw a surface as filled contours, which are closest near the minimum, with the data points on top.

    Parameters
    ----------
    surface : Surface
        Result of :func:`plane_slice` or :func:`loss_surface`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If no height is finite.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, draw_surface, plane_slice
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> x = energy.sample(200, torch.Generator().manual_seed(0))
    >>> figure = draw_surface(plane_slice(energy, x, resolution=20))
    >>> figure.axes[1].get_ylabel()  # of the colour bar
    'energy, nats'
    """
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
    """Write a drawing of a surface to a TensorBoard event file.

    Parameters
    ----------
    folder : Path
        Folder of the event file. It is created if necessary.
    tag : str
        Name of the image.
    surface : Surface
        Result of :func:`plane_slice` or :func:`loss_surface`.
    step : int, default 0
        Step of the training that the picture belongs to.

    Raises
    ------
    ValueError
        If no height is finite.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from ebm_core import GaussianEnergy, log_to_tensorboard, plane_slice
    >>> energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    >>> x = energy.sample(200, torch.Generator().manual_seed(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log_to_tensorboard(Path(folder), "energy", plane_slice(energy, x, resolution=20))
    ...     print(len(list(Path(folder).iterdir())))
    1
    """
    check_whole("step", step, 0)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from torch.utils.tensorboard import SummaryWriter

    canvas = FigureCanvasAgg(draw_surface(surface))
    canvas.draw()
    with SummaryWriter(str(folder)) as writer:
        writer.add_image(tag, np.asarray(canvas.buffer_rgba())[..., :3], step, dataformats="HWC")


def _like_filters(weight: Tensor, generator: torch.Generator) -> Tensor:
    direction = normal_like(weight, generator)
    rows = direction.flatten(1)
    norms = weight.flatten(1).norm(dim=1, keepdim=True)
    return (rows / rows.norm(dim=1, keepdim=True) * norms).view_as(weight)
