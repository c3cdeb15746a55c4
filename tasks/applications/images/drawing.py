"""Figures of the application `images`: test pictures with their energies, and samples of the model."""

from typing import Any

import numpy as np
import torch

from ebm_core.sampling.samplers import langevin
from tasks.applications.harness.application import Picture
from tasks.applications.harness.drawing import grid
from tasks.applications.images.joint_energy import JointEnergy
from tasks.reporting.maps import png


def draw_judged(energy: JointEnergy, examples: Any, test: np.ndarray) -> Picture:
    """Draw the test pictures of lowest and of highest energy with their predicted class."""
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
        words = f"{found[i]:.0f} nats\n{classes[taken]}: {probable[i, taken]:.2f}" + ("" if right else " ✗")
        each.set_title(words, fontsize=7, color="#1c2321" if right else "#b3261e")
    caption = (
        "Upper row: the ten test pictures of lowest energy E(x). Lower row: the ten of highest energy, which "
        "the model would refuse first. Above each picture are its energy and its predicted class with the "
        "probability, in red and with a cross if the class is wrong."
    )
    return Picture("judged", "Test pictures with their energies", caption, png(figure))


def draw_samples(
    energy: JointEnergy, size: tuple[int, int], classes: tuple[str, ...], rows: int, steps: int, step: float
) -> Picture:
    """Draw Langevin samples of exp(−E), started at samples of each class's density."""
    generator = torch.Generator().manual_seed(0)
    shown = min(len(classes), 10)
    figure, axes = grid(rows, shown, title=0.0)
    for c in range(shown):
        start = energy.base.sample(rows, generator, label=c)
        for i, picture in enumerate(langevin(energy, start, steps, step, generator)):
            axes[i, c].imshow(picture.view(size), cmap="Greys", vmin=0, vmax=1)
    caption = (
        f"Samples of the model after {steps} Langevin steps on E, started at a sample of the class's "
        "density. Each column is a class."
    )
    return Picture("samples", "Samples of the model", caption, png(figure))


def draw_scored(values: np.ndarray, answers: Any) -> bytes:
    """Draw the new pictures of lowest (above) and highest energy (below) with predicted class and p-value."""
    order, columns = np.argsort(answers["energy"].to_numpy()), 10
    figure, axes = grid(2, columns)
    for row, shown in zip(axes, (order[:columns], order[::-1][:columns]), strict=True):
        for each, i in zip(row, shown, strict=False):
            said = answers.iloc[i]
            each.imshow(values[i], cmap="Greys", vmin=0, vmax=1)
            each.set_title(f"{said['prediction']}, p = {said['p_value']:.3f}", fontsize=7)
    return png(figure)
