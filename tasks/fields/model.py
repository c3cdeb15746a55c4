"""Fitted model of monthly fields, with forecasts, samples, energies and the filling of missing cells."""

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ebm_core.energies.grid import FieldEnergy, PatternNormal
from ebm_core.learning.score_matching import WhiteEnergy, pull, rotate, transport
from tasks.fields.base import BEFORE, LEADS, Base, seasons
from tasks.fields.examples import Examples, examples, known_examples
from tasks.fields.reading import Fields, Grid
from tasks.fields.tilt import Laws, new_energy, tensors, white_energy
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json, write_json

STEPS = 8
"""Number of integration steps of a sample. Their error is far below the spread of the samples."""

BLOCK = 512
"""Number of fields for which energies or samples are computed at once."""

ANGLES = 4
"""Number of noise levels at which each example of the validation months is evaluated."""

FORMAT = 1


@dataclass(frozen=True)
class FieldModel:
    """Base, refitted to all months, tilted by ``weights[lead]`` times the energy.

    ``first`` and ``last`` are the first and the last month of the fit.
    """

    name: str
    units: str
    first: str
    last: str
    grid: Grid
    base: Base
    energy: FieldEnergy
    weights: tuple[float, ...]
    known: np.ndarray
    """Energies of the months of the fit, in ascending order."""
    standard_name: str = ""
    """Standard name of the variable by the CF conventions, if it is known."""

    @cached_property
    def laws(self) -> Laws:
        return Laws(self.base)

    def forecast(self, fields: Fields, origin: np.datetime64, lead: int, draws: int, seed: int) -> "Forecast":
        """Forecast the field ``LEADS[lead]`` months after ``origin``, with ``draws`` samples.

        Gaps are filled from the other cells of the month. Raises ``BasinError`` if the file lacks most of the
        field of ``origin`` or of that ``BEFORE`` months before.
        """
        now = self._whole(fields, origin)
        before = self._whole(fields, origin - BEFORE)
        aim = origin + LEADS[lead]
        found, mean = examples(self.base, now[None], before[None], seasons(np.array([aim])), lead)
        return self._law(found, mean[0], aim, draws, seed)

    def sample(self, month: int, draws: int, seed: int) -> "Forecast":
        """Draw fields of the calendar month ``month``, 1 to 12, without knowledge of earlier months."""
        nothing = np.zeros((1, self.base.normals.shape[1]))
        found, mean = examples(self.base, nothing, nothing, np.array([month - 1]), 0)
        return self._law(found, mean[0], None, draws, seed)

    def energies(self, fields: Fields) -> tuple[np.ndarray, np.ndarray]:
        """Return the energy of each month and the share of the months of the fit with at least that energy.

        Both are ``(n,)`` and NaN for months with missing cells. Usual fields have a low energy. A share of
        0.01 means that one month in a hundred was at least as unusual.
        """
        if not len(self.known):
            raise BasinError(
                f"the model of {self.name} has no month of its fit without missing cells, expected some to "
                "compare energies with; fit it to fields without such cells"
            )
        energy = self.of_months(fields)
        rarer = 1 - np.searchsorted(self.known, energy) / len(self.known)
        return energy, np.where(np.isfinite(energy), rarer, np.nan)

    def of_months(self, fields: Fields) -> np.ndarray:
        """Return the energy of each month ``(n,)``, NaN for months with missing cells."""
        energy = np.full(len(fields.months), np.nan)
        for first, values in fields.blocks():
            cells = values[:, self.grid.mask]
            rows = np.flatnonzero(np.isfinite(cells).all(axis=1))
            if len(rows):
                energy[first + rows] = self._energy(cells[rows], seasons(fields.months[first + rows]))
        return energy

    def fill(
        self, values: np.ndarray, month: np.datetime64, noise: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fill the missing cells of a month; return the field ``(d,)`` and its standard deviation ``(d,)``.

        ``values`` ``(d,)`` are NaN where missing. ``noise`` is the standard deviation of their observation
        errors. If it is 0, observed values are kept and have spread 0. The result is the exact conditional
        distribution of the base given the values. Sampling with the energy did not fill cells better in a
        test on earlier months. Raises ``BasinError`` if no cell has a value.
        """
        seen = np.isfinite(values)
        if not seen.any():
            raise BasinError(
                f"{month} has no cell with a value; expected one or more to fill the others from"
            )
        mean, spread = self.base.normals[seasons(np.array([month]))[0]], self.base.spread[0]
        law = PatternNormal(
            torch.tensor(self.base.patterns[0] / spread[:, None]),
            torch.tensor(self.base.local[0] / spread**2),
        )
        there = torch.from_numpy(seen)
        errors = torch.tensor((values - mean) / spread)[there]
        variance_of_errors = torch.tensor((noise / spread[seen]) ** 2)
        gain, root = law.given(there, variance_of_errors.sqrt())
        full = law.patterns @ (gain @ errors)
        variance = (law.patterns @ root).square().sum(1)
        # The part of an observed value that the patterns do not explain is split between the local variance
        # of the cell and its observation error.
        share = law.local[there] / (law.local[there] + variance_of_errors)
        unseen = torch.where(there, 0.0, law.local)
        full[there] += share * (errors - full[there])
        variance[there] = (1 - share) ** 2 * variance[there] + share * variance_of_errors
        deviation = (variance + unseen).sqrt().numpy()
        kept = seen & (noise == 0)
        return np.where(kept, values, mean + spread * full.numpy()), np.where(kept, 0.0, spread * deviation)

    def _law(
        self, found: Examples, mean: np.ndarray, month: np.datetime64 | None, draws: int, seed: int
    ) -> "Forecast":
        generator = torch.Generator().manual_seed(seed)
        given = {name: values.repeat_interleave(draws, 0) for name, values in tensors(found).items()}
        noise = torch.randn(draws, self.base.patterns.shape[2], generator=generator)
        moved = []
        for start in range(0, draws, BLOCK):
            part = {name: values[start : start + BLOCK] for name, values in given.items()}
            moved.append(transport(self.tilt(part), noise[start : start + BLOCK], STEPS))
        lead = int(found.lead[0])
        local = torch.randn(given["error"].shape, generator=generator).numpy() * np.sqrt(
            self.base.local[lead]
        )
        patterns = self.laws.colour(torch.cat(moved), given["lead"]).numpy() * self.base.spread[lead]
        samples = mean + patterns + local
        return Forecast(month, LEADS[lead], mean, samples)

    def tilt(self, given: dict[str, Tensor]) -> WhiteEnergy:
        """Return the weighted energy as a function of amplitudes, for the examples ``given``."""
        energy = white_energy(self.energy, self.laws, given)
        weight = torch.tensor(self.weights, dtype=torch.float32)[given["lead"]]
        return lambda v, angle: weight * energy(v, angle)

    def _energy(self, values: np.ndarray, season: np.ndarray) -> np.ndarray:
        """Return the total energy ½ (|z|² + |e − V z|²/D) + F of fields ``(n, d)`` without gaps."""
        nothing = np.zeros_like(values)
        found, mean = examples(self.base, nothing, nothing, season, 0)
        found.error[:] = (values - mean) / self.base.spread[0]
        given, laws = tensors(found), self.laws
        z = laws.amplitudes(given["error"], given["lead"])
        patterns = laws.colour(z, given["lead"])
        left = (given["error"] - patterns).square() / laws.laws[0].local
        return ((z.square().sum(1) + left.sum(1)).double() / 2 + self._tilt(patterns, given)).numpy()

    def _tilt(self, errors: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Return the weighted energy F, without noise (angle 0), of pattern errors in units of the spread."""
        with torch.no_grad():
            still = torch.cat([given["numbers"], torch.zeros(len(errors), 1)], 1)
            found: Tensor = self.energy(errors.float(), given["context"], still)
        return self.weights[0] * found.double()

    def missing(self, fields: Fields, month: np.datetime64) -> int:
        """Return the number of missing cells of a month."""
        return int((~np.isfinite(fields.month(month)[self.grid.mask])).sum())

    def _whole(self, fields: Fields, month: np.datetime64) -> np.ndarray:
        """Return the field of a month with gaps filled from its other cells, of which there must be half."""
        values = fields.month(month)[self.grid.mask]
        missing = int((~np.isfinite(values)).sum())
        if 2 * missing > len(values):
            raise BasinError(
                f"{fields.label}: {missing} of {len(values)} cells of {month} are missing, expected at most "
                "half; forecast from a month with more values"
            )
        return self.fill(values, month)[0] if missing else values

    def check(self, fields: Fields) -> None:
        """Raise ``BasinError`` if the grid of a file is not that of the model."""
        for axis in ("lat", "lon"):
            one, other = getattr(fields, axis), getattr(self.grid, axis)
            if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=1e-3):
                raise BasinError(
                    f"{fields.label}: its {axis} is not that of the model; give a file on the grid of the "
                    "model, or fit a model to this grid"
                )

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and ``model.safetensors`` to a new folder."""
        folder.mkdir()
        columns = {f"base/{name}": values for name, values in asdict(self.base).items()}
        columns |= {f"grid/{name}": getattr(self.grid, name) for name in ("lat", "lon", "mask")}
        columns["known"] = self.known
        written = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in columns.items()}
        written |= {f"energy/{name}": values.clone() for name, values in self.energy.state_dict().items()}
        save_file(written, folder / "model.safetensors")
        about = ("name", "units", "standard_name", "first", "last")
        facts = {"format": FORMAT, **{key: getattr(self, key) for key in about}}
        facts |= {
            "width": self.energy.near.out_channels,
            "weights": dict(zip(map(str, LEADS), self.weights, strict=True)),
        }
        write_json(folder / "model.json", facts)


@dataclass(frozen=True)
class Forecast:
    """Forecast distribution of a field, given by its ``mean`` ``(d,)`` and ``samples`` ``(draws, d)``.

    ``month`` is the month of the field, or None for a calendar month of any year.
    """

    month: np.datetime64 | None
    lead: int
    mean: np.ndarray
    samples: np.ndarray


def load_model(folder: Path) -> FieldModel:
    """Load a model that :meth:`FieldModel.save` wrote, or raise ``BasinError`` if the folder holds none."""
    if not folder.is_dir():
        raise BasinError(f"no folder {folder}; give a folder that `basin field fit` wrote")
    facts = read_json(folder / "model.json", "give a folder that `basin field fit` wrote")
    try:
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, expected {FORMAT}")
        arrays = load_file(folder / "model.safetensors")
        base = Base(**{name: arrays[f"base/{name}"].numpy() for name in Base.__dataclass_fields__})
        grid = Grid(**{name: arrays[f"grid/{name}"].numpy() for name in ("lat", "lon", "mask")})
        energy = new_energy(grid.mask, int(facts["width"]), 0)
        energy.load_state_dict(
            {name[7:]: values for name, values in arrays.items() if name.startswith("energy/")}
        )
        weights = tuple(float(facts["weights"][str(lead)]) for lead in LEADS)
        name, units, first, last = (str(facts[key]) for key in ("name", "units", "first", "last"))
        known, standard = arrays["known"].numpy(), str(facts.get("standard_name", ""))
        return FieldModel(name, units, first, last, grid, base, energy, weights, known, standard)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BasinError(
            f"{folder} holds no model of fields ({reason}); fit one with `basin field fit`"
        ) from error


def judged(
    base: Base, energy: FieldEnergy, fields: Fields, grid: Grid, start: int, seed: int
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Estimate the inflation of the base's variances and the weight of the energy for each lead.

    Both use the months from row ``start`` on, which were not used for training. The base's variances come
    from errors on the months of its fit, which are too small. They are multiplied by the mean square of the
    standardised errors on the later months, but at least by 1. The weight is the slope of the regression of
    the denoising target on the prediction of the energy, in the two terms of
    :func:`ebm_core.learning.score_matching.denoising_loss`. It is shrunk by max(0, 1 − 1/t²), where t is
    computed over blocks of 24 examples, and clipped to [0, 1].
    """
    squares, counts = np.zeros(len(LEADS)), np.zeros(len(LEADS))
    for found in known_examples(base, fields, grid, start):
        lead = int(found.lead[0])
        squares[lead] += np.square(found.error).mean(axis=1).sum()
        counts[lead] += len(found)
    inflation = np.maximum(squares / np.maximum(counts, 1), 1.0)
    wider = inflated(base, inflation)
    laws = Laws(wider)
    generator = torch.Generator().manual_seed(seed)
    products: list[list[Tensor]] = [[] for _ in LEADS]
    for found in known_examples(wider, fields, grid, start):
        for k in range(0, len(found), BLOCK):
            part = tensors(found.rows(np.arange(k, min(k + BLOCK, len(found)))))
            leads = part["lead"]
            total = torch.zeros(len(leads), 2)
            for level in range(ANGLES):
                angle = (level + torch.rand(len(leads), generator=generator)) * math.pi / 2 / ANGLES
                z = laws.amplitudes(part["error"], leads)
                v, wanted = rotate(z, torch.randn(z.shape, generator=generator), angle)
                pulled = pull(white_energy(energy, laws, part), v, angle)
                for change in (lambda rows: rows, partial(laws.colour, lead=leads)):
                    one, other = change(wanted), change(pulled)
                    total += torch.stack([(one * other).mean(1), other.square().mean(1)], 1)
            products[int(found.lead[0])].append(total)
    return inflation, tuple(_weight(torch.cat(each)) if each else 0.0 for each in products)


def _weight(products: Tensor, block: int = 24) -> float:
    cross, square = (products[: len(products) // block * block].reshape(-1, block, 2).sum(1)).double().T
    if len(cross) < 2 or not float(square.sum()):
        return 0.0
    slope = float(cross.sum() / square.sum())
    t = float(cross.sum() / (cross - slope * square).square().sum().sqrt())
    return min(max(slope, 0.0), 1.0) * max(0.0, 1 - 1 / t**2) if t > 0 else 0.0


def inflated(base: Base, inflation: np.ndarray) -> Base:
    """Return the base with its variances multiplied by ``inflation``, one factor for each lead."""
    return replace(
        base,
        patterns=base.patterns * np.sqrt(inflation)[:, None, None],
        local=base.local * inflation[:, None],
    )
