"""What is judged, for the eye: pictures with their energies, samples, scans with heat maps."""

from typing import Any

import numpy as np
import torch

from ebm_core.sampling.samplers import langevin
from tasks.applications import Picture
from tasks.pictures.classes import JointEnergy
from tasks.pictures.finders import Finder
from tasks.pictures.lesions import Lesions
from tasks.reporting.maps import png


def grid(rows: int, columns: int, side: float = 0.95, title: float = 0.3) -> tuple[Any, np.ndarray]:
    """A figure of bare squares, ``(rows, columns)`` axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * side, rows * (side + title)), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for each in axes.flat:
        each.axis("off")
    return figure, axes


def draw_judged(energy: JointEnergy, examples: Any, test: np.ndarray) -> Picture:
    """The test pictures of lowest and of highest energy, with what they were taken for."""
    values, label, classes = examples.pictures.values, examples.label, examples.classes
    x = torch.as_tensor(examples.flat[test])
    with torch.no_grad():
        found = energy(x).numpy()
    probable = energy.classify(x).numpy()
    order, columns = np.argsort(found), 10
    shown = np.concatenate([order[:columns], order[::-1][:columns]])
    figure, axes = grid(2, columns)
    for each, i in zip(axes.flat, shown, strict=False):
        taken = probable[i].argmax()
        each.imshow(values[test[i]], cmap="Greys", vmin=0, vmax=1)
        right = taken == label[test[i]]
        words = f"{found[i]:.0f} nats\n{classes[taken]}: {probable[i, taken]:.2f}"
        each.set_title(words, fontsize=7, color="#1c2321" if right else "#b3261e")
    caption = (
        "Above the ten of lowest energy E(x), below the ten of highest: what the model would refuse first. "
        "Below the energy the class and its probability, red where it is wrong."
    )
    return Picture("judged", "Test pictures with their energies", caption, png(figure))


def draw_samples(
    energy: JointEnergy, size: tuple[int, int], classes: tuple[str, ...], rows: int, steps: int, step: float
) -> Picture:
    """Langevin samples of exp(−E), started at samples of each class's density."""
    generator = torch.Generator().manual_seed(0)
    shown = min(len(classes), 10)
    figure, axes = grid(rows, shown, title=0.0)
    for c in range(shown):
        start = energy.base.sample(rows, generator, label=c)
        for i, picture in enumerate(langevin(energy, start, steps, step, generator)):
            axes[i, c].imshow(picture.view(size), cmap="Greys", vmin=0, vmax=1)
    caption = (
        f"Drawn from the energy, not copied: {steps} Langevin steps on E from a sample of each class's "
        "density, one column a class."
    )
    return Picture("samples", "Samples of the model", caption, png(figure))


def draw_heat_maps(finder: Finder, healthy: np.ndarray, judged: Lesions, amplitude: float) -> Picture:
    """Slices as they are, with a lesion, and the energy of each place; the lesion's outline on all."""
    suspicion, maps = finder.maps(judged.slices)
    top = float(np.quantile(maps, 0.999))
    figure, axes = grid(3, len(healthy), side=1.5)
    for i in range(len(healthy)):
        bright = float(healthy[i].max())
        axes[0, i].imshow(healthy[i], cmap="gray", vmin=0, vmax=bright)
        axes[1, i].imshow(judged.slices[i], cmap="gray", vmin=0, vmax=bright)
        axes[2, i].imshow(
            maps[i], cmap="magma", vmin=finder.threshold, vmax=max(top, finder.threshold + 1e-6)
        )
        axes[2, i].contour(judged.where[i], [0.5], colors="white", linewidths=0.7)
        axes[2, i].set_title(f"E = {suspicion[i]:.1f}", fontsize=8)
    caption = (
        f"Above healthy test slices, in the middle with a lesion of {amplitude} local standard deviations, "
        "below the energy of each place above the threshold of healthy slices, and where the lesion is."
    )
    return Picture(f"heat-{amplitude}", f"Heat maps, lesions of {amplitude} s.d.", caption, png(figure))


def draw_scored(values: np.ndarray, answers: Any) -> bytes:
    """New pictures of lowest energy above, of highest below, with what they were taken for."""
    order, columns = np.argsort(answers["energy"].to_numpy()), 10
    figure, axes = grid(2, columns)
    for row, shown in zip(axes, (order[:columns], order[::-1][:columns]), strict=True):
        for each, i in zip(row, shown, strict=False):
            said = answers.iloc[i]
            each.imshow(values[i], cmap="Greys", vmin=0, vmax=1)
            each.set_title(f"{said['prediction']}, p = {said['p_value']:.3f}", fontsize=7)
    return png(figure)


def draw_found(finder: Finder, slices: np.ndarray, energy: np.ndarray, maps: np.ndarray) -> bytes:
    """New slices of highest energy, and the energy of each place above the threshold of healthy slices."""
    shown = np.argsort(-energy)[:8]
    figure, axes = grid(2, len(shown), side=1.5)
    top = max(float(maps[shown].max()), finder.threshold + 1e-6)
    for (above, below), i in zip(axes.T, shown, strict=True):
        above.imshow(slices[i], cmap="gray", vmin=0)
        below.imshow(maps[i], cmap="magma", vmin=finder.threshold, vmax=top)
        below.set_title(f"E = {energy[i]:.1f}", fontsize=8)
    return png(figure)
