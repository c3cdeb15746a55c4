"""Values that the attributes of a variable declare to be missing: its valid range and its flags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Declared:
    """Valid range and flags of a variable, in the units of its decoded values."""

    low: float = -np.inf
    high: float = np.inf
    flags: tuple[float, ...] = ()
    step: float = 0.0
    """Distance of packed values, half of which is the tolerance."""

    def missing(self, values: np.ndarray) -> np.ndarray:
        """Tell which values are outside of the valid range or flags."""
        bounds = np.array([self.low, self.high, *self.flags])
        near = np.where(np.isfinite(bounds), np.maximum(self.step / 2, 1e-6 * np.abs(bounds)), 0)
        found: np.ndarray = (values < self.low - near[0]) | (values > self.high + near[1])
        for flag, within in zip(self.flags, near[2:], strict=True):
            found |= np.abs(values - flag) <= within
        return found

    def notes(self, blocks: Iterator[np.ndarray], name: str) -> list[str]:
        """Return a sentence on the number of missing values, if there are any."""
        if self == NOTHING:
            return []
        count = sum(int(self.missing(values).sum()) for values in blocks)
        if not count:
            return []
        parts = []
        ends = [
            f"{words} {end:g}" for words, end in (("from", self.low), ("to", self.high)) if np.isfinite(end)
        ]
        if ends:
            parts.append(f"outside of its valid range {' '.join(ends)}")
        if self.flags:
            parts.append(f"flags ({', '.join(f'{flag:g}' for flag in self.flags[:5])})")
        return [f"{count:,} values of {name} are {' or '.join(parts)} and are read as missing"]


NOTHING = Declared()


def declared(variable: "xr.DataArray") -> Declared:
    """Return what ``valid_min``, ``valid_max``, ``valid_range`` and ``flag_values`` declare.

    They are packed values, unless they are of a floating-point type and the packed values are not.
    """
    scale = float(variable.encoding.get("scale_factor", 1.0))
    offset = float(variable.encoding.get("add_offset", 0.0))
    packed = np.dtype(variable.encoding.get("dtype", variable.dtype))
    unsigned = str(variable.encoding.get("_Unsigned", "")).lower() == "true"

    def given(name: str) -> list[float]:
        try:
            found = np.atleast_1d(np.asarray(variable.attrs.get(name, [])))
            numbers = found.astype(float)
        except ValueError:  # text that is no number
            return []
        if packed.kind in "iu" and found.dtype.kind == "f" and (scale, offset) != (1.0, 0.0):
            return [float(each) for each in numbers]
        if unsigned:
            numbers = np.where(numbers < 0, numbers + 2.0 ** (8 * packed.itemsize), numbers)
        return [float(each) for each in numbers * scale + offset]

    both = given("valid_range")
    ends = both if len(both) == 2 else [*given("valid_min")[:1], *given("valid_max")[:1]]
    low, high = -np.inf, np.inf
    if len(ends) == 2:
        low, high = min(ends), max(ends)
    elif ends and ("valid_min" in variable.attrs) == (scale > 0):
        low = ends[0]
    elif ends:
        high = ends[0]
    step = abs(scale) if packed.kind in "iu" else 0.0
    return Declared(low, high, tuple(given("flag_values")), step)


def is_count(data: "xr.Dataset", name: str) -> bool:
    """Tell whether a variable describes another one, such as its number of observations."""
    variable = data[name]
    beside = " ".join(str(each.attrs.get("ancillary_variables", "")) for each in data.data_vars.values())
    standard: Any = variable.attrs.get("standard_name", "")
    return variable.dtype.kind in "iu" or name in beside.split() or "number_of_observations" in str(standard)
