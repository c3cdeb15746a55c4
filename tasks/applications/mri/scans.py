"""Slices of brain scans: reading NIfTI and images, resizing, grouping of near-duplicates, and metadata."""

from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from tasks.applications.harness.picture_files import SUFFIXES, Pictures, read_pictures, scaled
from tasks.applications.mri.lesion_energy import SIDE
from tasks.runtime.errors import BasinError

NIFTI = (".nii", ".nii.gz")
ALIKE = 0.9
"""Correlation above which two slices are near-duplicates, most likely of the same patient or scan."""
TISSUE = 0.05
"""A NIfTI slice is used if more than this share of it is not background."""


def read_scans(path: Path) -> Pictures:
    """Read slices ``(n, SIDE, SIDE)`` from NIfTI volumes, a folder of image files or an ``.npz`` file.

    ``path`` may be one NIfTI volume or a folder of them. The label of a NIfTI slice is the name of its file,
    because all slices of a file are of one patient. Other slices have no label. Raises ``BasinError`` for a
    file that is unreadable, holds more than one volume or no tissue, and for a folder with both volumes and
    images.
    """
    inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    volumes = [file for file in inside if file.name.endswith(NIFTI)]
    if volumes:
        other = next((file for file in inside if file.suffix.lower() in SUFFIXES), None)
        if other is not None:
            raise BasinError(
                f"{path}: found both NIfTI volumes and pictures ({other.name}); give a folder with one kind "
                "only"
            )
        slices, names, origins = [], [], []
        for file in volumes:
            label = file.relative_to(path).as_posix() if path.is_dir() else file.name
            for k, image in _read_volume(file):
                slices.append(resized(image))
                names.append(f"{label}[{k}]")
                origins.append(label)
        if not slices:
            raise BasinError(
                f"{path}: no axial slice with tissue in {len(volumes)} NIfTI volumes; give scans of heads"
            )
        return Pictures(np.stack(slices), tuple(names), np.array(origins))
    if path.is_dir() and not any(file.suffix.lower() in SUFFIXES for file in inside):
        kinds = ", ".join((*NIFTI, *SUFFIXES))
        raise BasinError(f"{path}: no scans in this folder; expected files ending in {kinds}")
    found = read_pictures(path)
    empty = np.flatnonzero(np.ptp(found.values.reshape(len(found), -1), axis=1) == 0)
    if len(empty):
        raise BasinError(f"{path}: {found.names[empty[0]]} has the same grey everywhere; remove it")
    return Pictures(np.stack([resized(image) for image in found.values]), found.names, None)


def _read_volume(file: Path) -> list[tuple[int, np.ndarray]]:
    """Read the axial slices of a NIfTI volume that show tissue, with their index and grey values in [0, 1].

    The volume is reoriented to the axes right, anterior and superior, so that the third axis is always axial
    and rows run from front to back.
    """
    try:
        import nibabel
    except ImportError as error:
        raise BasinError(f"{file}: NIfTI needs nibabel; `pip install nibabel`, or give PNG slices") from error
    try:
        stored = nibabel.as_closest_canonical(nibabel.load(file))
        volume = np.squeeze(np.asarray(stored.dataobj, dtype=np.float32))
    except Exception as error:  # nibabel raises exceptions of many types on a broken file
        why = " ".join(str(error).split())
        raise BasinError(f"{file}: not a readable NIfTI volume ({why}); repair or remove it") from error
    if volume.ndim != 3:
        raise BasinError(f"{file}: an array of shape {volume.shape}; expected one volume with three axes")
    values = scaled(volume - min(float(volume.min()), 0.0), str(file))
    slices = [(k, np.rot90(values[:, :, k])) for k in range(values.shape[2])]
    return [(k, image) for k, image in slices if (image > 0.1).mean() > TISSUE]


def resized(image: np.ndarray) -> np.ndarray:
    """Pad a slice with background to a square and resize it to SIDE × SIDE by linear interpolation."""
    height, width = image.shape
    side = max(height, width)
    if side == SIDE == min(height, width):
        return image
    above, left = (side - height) // 2, (side - width) // 2
    square = np.pad(image, ((above, side - height - above), (left, side - width - left)))
    blurred = ndimage.gaussian_filter(square, max(0.0, 0.4 * (side / SIDE - 1)))
    found: np.ndarray = ndimage.zoom(blurred, SIDE / side, order=1).astype(np.float32)
    return found


def alike(slices: np.ndarray, volumes: np.ndarray | None = None) -> np.ndarray:
    """Return the group number of each slice ``(n,)``.

    Slices of one volume, and slices linked by correlations above ``ALIKE``, form a group.
    """
    flat = slices.reshape(len(slices), -1)
    flat = flat - flat.mean(1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    linked = flat @ flat.T > ALIKE
    if volumes is not None:
        linked |= volumes[:, None] == volumes
    _, group = connected_components(linked, directed=False)
    numbers: np.ndarray = group
    return numbers


def divided(group: np.ndarray, shares: tuple[float, ...]) -> list[np.ndarray]:
    """Divide rows at random, with a fixed seed, into parts of about these shares, keeping groups together."""
    order = np.random.default_rng(0).permutation(group.max() + 1)
    after = np.cumsum(np.bincount(group)[order]) / len(group)
    part = np.searchsorted(np.cumsum(shares)[:-1], after - 1e-9)
    of_group = np.empty(len(order), int)
    of_group[order] = part
    return [np.flatnonzero(of_group[group] == k) for k in range(len(shares))]


def metadata(slices: np.ndarray) -> np.ndarray:
    """Return properties of slices that do not depend on the tissue, ``(n, 5)``.

    They are the share of black background, the grey value of the border, height and width of the head in
    pixels, and the 99 % quantile of brightness.
    """
    head = slices > 0.1 * slices.max((1, 2), keepdims=True)
    border = np.concatenate([slices[:, :2].mean((1, 2))[:, None], slices[:, -2:].mean((1, 2))[:, None]], 1)
    return np.stack(
        [
            (slices < 0.02).mean((1, 2)),
            border.mean(1),
            head.any(2).sum(1),
            head.any(1).sum(1),
            np.quantile(slices, 0.99, axis=(1, 2)),
        ],
        1,
    )
