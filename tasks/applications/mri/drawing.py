"""Figures of the application `mri`: slices with heat maps of the energy."""

import numpy as np

from tasks.applications.harness.application import Picture
from tasks.applications.harness.drawing import grid
from tasks.applications.mri.detectors import Detector
from tasks.applications.mri.synthetic_lesions import Lesions
from tasks.reporting.maps import png


def draw_heat_maps(detector: Detector, healthy: np.ndarray, judged: Lesions, amplitude: float) -> Picture:
    """Draw healthy slices, the same slices with a lesion, and the energy map with the lesion's outline."""
    suspicion, maps = detector.maps(judged.slices)
    top = float(np.quantile(maps, 0.999))
    figure, axes = grid(3, len(healthy), side=1.5)
    for i in range(len(healthy)):
        bright = float(healthy[i].max())
        axes[0, i].imshow(healthy[i], cmap="gray", vmin=0, vmax=bright)
        axes[1, i].imshow(judged.slices[i], cmap="gray", vmin=0, vmax=bright)
        axes[2, i].imshow(
            maps[i], cmap="magma", vmin=detector.threshold, vmax=max(top, detector.threshold + 1e-6)
        )
        axes[2, i].contour(judged.where[i], [0.5], colors="white", linewidths=0.7)
        axes[2, i].set_title(f"E = {suspicion[i]:.1f}", fontsize=8)
    caption = (
        f"Upper row: healthy test slices. Middle row: the same slices with a lesion of {amplitude} local "
        "standard deviations. Lower row: the energy of each pixel above the threshold of healthy slices, "
        "with the outline of the lesion."
    )
    return Picture(f"heat-{amplitude}", f"Heat maps, lesions of {amplitude} s.d.", caption, png(figure))


def draw_found(detector: Detector, slices: np.ndarray, energy: np.ndarray, maps: np.ndarray) -> bytes:
    """Draw the new slices of highest energy, and the energy of each pixel above the healthy threshold."""
    shown = np.argsort(-energy)[:8]
    figure, axes = grid(2, len(shown), side=1.5)
    top = max(float(maps[shown].max()), detector.threshold + 1e-6)
    for (above, below), i in zip(axes.T, shown, strict=True):
        above.imshow(slices[i], cmap="gray", vmin=0)
        below.imshow(maps[i], cmap="magma", vmin=detector.threshold, vmax=top)
        below.set_title(f"E = {energy[i]:.1f}", fontsize=8)
    return png(figure)
