"""Reading of a user's pictures: an ``.npz`` file with X and y, or a folder with a subfolder per class."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.runtime.errors import BasinError
from tasks.sources.npz import read_arrays

SUFFIXES = (".png", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Pictures:
    """Grey pictures ``(n, height, width)`` in [0, 1] with names and, if known, class ``labels`` ``(n,)``."""

    values: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.values)


def read_pictures(path: Path) -> Pictures:
    """Read pictures; raises ``BasinError`` for a file that is unreadable, of another size or not finite."""
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    raise BasinError(f"{path}: expected an .npz with X (n, height, width), or a folder of PNG files")


def _read_npz(path: Path) -> Pictures:
    found = read_arrays(path, ("X",), ("y",))
    values, labels = found["X"], found.get("y")
    if values.ndim != 3 or not len(values) or values.dtype.kind not in "uif":
        raise BasinError(f"{path}: X is {values.dtype} {values.shape}; expected numbers (n, height, width)")
    if labels is not None and labels.shape != (len(values),):
        raise BasinError(f"{path}: y is {labels.shape}; expected one class per picture, ({len(values)},)")
    return Pictures(scaled(values, str(path)), tuple(f"{path.name}[{i}]" for i in range(len(values))), labels)


def _read_folder(path: Path) -> Pictures:
    files = sorted(f for f in path.rglob("*") if f.is_file() and f.suffix.lower() in SUFFIXES)
    if not files:
        raise BasinError(
            f"{path}: no pictures in this folder; expected files ending in {', '.join(SUFFIXES)}"
        )
    values = [read_picture(file) for file in files]
    require_one_size(values, files)
    nested = all(file.parent != path for file in files)
    labels = np.array([file.relative_to(path).parts[0] for file in files]) if nested else None
    names = tuple(file.relative_to(path).as_posix() for file in files)
    return Pictures(np.stack(values), names, labels)


def read_picture(file: Path) -> np.ndarray:
    """Read a grey picture with values in [0, 1]; the depth of 16-bit files is kept."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            wide = image.mode.startswith("I") or image.mode == "F"
            pixels = np.asarray(image if wide else image.convert("L"), dtype=np.float32)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BasinError(f"{file}: not a readable picture ({error}); repair or remove it") from error
    return pixels / (65535 if wide else 255)


def require_one_size(values: list[np.ndarray], files: list[Path]) -> None:
    """Raise ``BasinError`` naming the first file whose size differs from the most frequent one."""
    ((usual, count),) = Counter(value.shape for value in values).most_common(1)
    for value, file in zip(values, files, strict=True):
        if value.shape != usual:
            raise BasinError(
                f"{file}: {_size(value.shape)} pixels, but {count} of {len(files)} pictures have "
                f"{_size(usual)}; resize all to one size"
            )


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape[::-1]))


def scaled(values: np.ndarray, label: str) -> np.ndarray:
    """Scale pixels to [0, 1] by 255 for 8-bit integers, and by the largest value for other types."""
    if not np.isfinite(values).all() or values.min() < 0:
        raise BasinError(
            f"{label}: pixels that are negative or not finite; expected grey values of 0 or more"
        )
    top = 255 if values.dtype == np.uint8 else float(values.max())
    if top <= 0:
        raise BasinError(f"{label}: every pixel is 0; expected pictures with brighter pixels")
    return (values / top).astype(np.float32)
