"""A fitted law of fields: forecasts, samples, energies and missing cells."""

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
"""Of the transport that samples; its error is far below the spread of the samples."""

BLOCK = 512
"""Fields whose energy or transport is computed at a time."""

ANGLES = 4
"""Noise levels at which an example of the validation months is looked at."""

FORMAT = 1


@dataclass(frozen=True)
class FieldModel:
    """The base, refitted on all months, tilted by ``weights[lead]`` times the energy.

    ``first`` and ``last`` are the months it was fitted on.
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
    """Energies of the months of the fit, ascending."""

    @cached_property
    def laws(self) -> Laws:
        return Laws(self.base)

    def forecast(self, fields: Fields, origin: np.datetime64, lead: int, draws: int, seed: int) -> "Forecast":
        """The law of the field ``LEADS[lead]`` months after ``origin``, of which ``draws`` samples.

        Raises ``BasinError`` where the file lacks the fields of ``origin`` or ``BEFORE`` months before.
        """
        now = self._whole(fields, origin)
        before = self._whole(fields, origin - BEFORE)
        aim = origin + LEADS[lead]
        found, mean = examples(self.base, now[None], before[None], seasons(np.array([aim])), lead)
        return self._law(found, mean[0], aim, draws, seed)

    def sample(self, month: int, draws: int, seed: int) -> "Forecast":
        """Fields of the calendar month ``month``, 1 to 12, as they may come in any year."""
        nothing = np.zeros((1, self.base.normals.shape[1]))
        found, mean = examples(self.base, nothing, nothing, np.array([month - 1]), 0)
        return self._law(found, mean[0], None, draws, seed)

    def energies(self, fields: Fields) -> tuple[np.ndarray, np.ndarray]:
        """Energy of each month, low for what is usual; NaN where cells are missing; ``(n,)``.

        Beside it the share of the months of the fit with at least that energy: .01 is one in a hundred.
        """
        energy = self.of_months(fields)
        rarer = 1 - np.searchsorted(self.known, energy) / len(self.known)
        return energy, np.where(np.isfinite(energy), rarer, np.nan)

    def of_months(self, fields: Fields) -> np.ndarray:
        """Energy of each month, NaN where cells are missing, ``(n,)``."""
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
        """The field ``(d,)`` of a month whose ``values`` ``(d,)`` are NaN where missing, and its spread.

        Values are known up to ``noise``, a standard deviation; with none they are kept, spread 0. This is the
        base's law given the values, exactly: chains through the energy filled earlier months no better.
        Raises ``BasinError`` where nothing is seen.
        """
        seen = np.isfinite(values)
        if not seen.any():
            raise BasinError(f"{month} has no cell with a value to fill the others from")
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
        # What the patterns leave of a seen cell is shared between the cell itself and the error of its value.
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
        """The weighted energy of amplitudes, in the circumstances ``given``."""
        energy = white_energy(self.energy, self.laws, given)
        weight = torch.tensor(self.weights, dtype=torch.float32)[given["lead"]]
        return lambda v, angle: weight * energy(v, angle)

    def _energy(self, values: np.ndarray, season: np.ndarray) -> np.ndarray:
        """½ (|z|² + |e − V z|²/D) + F of whole fields ``(n, d)``."""
        nothing = np.zeros_like(values)
        found, mean = examples(self.base, nothing, nothing, season, 0)
        found.error[:] = (values - mean) / self.base.spread[0]
        given, laws = tensors(found), self.laws
        z = laws.amplitudes(given["error"], given["lead"])
        patterns = laws.colour(z, given["lead"])
        left = (given["error"] - patterns).square() / laws.laws[0].local
        return ((z.square().sum(1) + left.sum(1)).double() / 2 + self._tilt(patterns, given)).numpy()

    def _tilt(self, errors: Tensor, given: dict[str, Tensor]) -> Tensor:
        """F at angle 0 of patterns of errors in units of the spread."""
        with torch.no_grad():
            still = torch.cat([given["numbers"], torch.zeros(len(errors), 1)], 1)
            found: Tensor = self.energy(errors.float(), given["context"], still)
        return self.weights[0] * found.double()

    def _whole(self, fields: Fields, month: np.datetime64) -> np.ndarray:
        values = fields.month(month)[self.grid.mask]
        if not np.isfinite(values).all():
            missing = int((~np.isfinite(values)).sum())
            raise BasinError(
                f"{fields.path}: {missing} cells of {month} are missing; fill them first (`basin field fill`)"
            )
        return values

    def check(self, fields: Fields) -> None:
        """Raise ``BasinError`` where a file has another grid than the model."""
        for axis in ("lat", "lon"):
            if not np.array_equal(getattr(fields, axis), getattr(self.grid, axis)):
                raise BasinError(f"{fields.path}: its {axis} is not that of the model; fit one to this grid")

    def save(self, folder: Path) -> None:
        """Write a new folder: ``model.json`` and ``model.safetensors``."""
        folder.mkdir()
        columns = {f"base/{name}": values for name, values in asdict(self.base).items()}
        columns |= {f"grid/{name}": getattr(self.grid, name) for name in ("lat", "lon", "mask")}
        columns["known"] = self.known
        written = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in columns.items()}
        written |= {f"energy/{name}": values.clone() for name, values in self.energy.state_dict().items()}
        save_file(written, folder / "model.safetensors")
        facts = {"format": FORMAT, **{key: getattr(self, key) for key in ("name", "units", "first", "last")}}
        facts |= {
            "width": self.energy.near.out_channels,
            "weights": dict(zip(map(str, LEADS), self.weights, strict=True)),
        }
        write_json(folder / "model.json", facts)


@dataclass(frozen=True)
class Forecast:
    """The law of a field, of ``month`` or any year's: ``mean`` ``(d,)`` and ``samples`` ``(draws, d)``."""

    month: np.datetime64 | None
    lead: int
    mean: np.ndarray
    samples: np.ndarray


def load_model(folder: Path) -> FieldModel:
    """What :meth:`FieldModel.save` wrote. Raises ``BasinError`` where the folder holds no such model."""
    if not folder.is_dir():
        raise BasinError(f"no folder {folder}; give one that `basin field fit` wrote")
    facts = read_json(folder / "model.json")
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
        return FieldModel(name, units, first, last, grid, base, energy, weights, arrays["known"].numpy())
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BasinError(
            f"{folder} holds no model of fields ({reason}); fit one (`basin field fit`)"
        ) from error


def judged(
    base: Base, energy: FieldEnergy, fields: Fields, grid: Grid, start: int, seed: int
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Inflation of the base's variances and weight of the energy, a lead, on the months from row ``start``.

    The base's errors on the months it was fitted on are too small; its variances are multiplied by the mean
    square of later ones. The weight w is the regression of what denoising should find on what the energy
    finds, in both coordinates of :func:`ebm_core.learning.score_matching.denoising_loss`, shrunk by
    (1 − 1/t²)₊ with the t of its blocks of 24 examples, and held within [0, 1].
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
    """The base with its variances times ``inflation``, one number a lead."""
    return replace(
        base,
        patterns=base.patterns * np.sqrt(inflation)[:, None, None],
        local=base.local * inflation[:, None],
    )
