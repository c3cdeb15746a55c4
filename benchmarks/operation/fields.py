"""Fields of Pacific sea-surface temperature (Kaplan): forecasts and gaps, compared with classical methods.

Forecasts are compared with a linear inverse model, and filled gaps with a reconstruction from EOFs.
``field`` fits on months before 1995 and scores 1995–2014. With ``--dev`` it fits on months before 1980 and
scores 1980–94. ``field-scale`` fits synthetic fields of the same shape.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import scoringrules

from benchmarks.row import Comparison, Row
from tasks.fields.base import LEADS, seasons
from tasks.fields.fit import JUDGED, fit
from tasks.fields.model import FieldModel
from tasks.fields.reading import Fields, Grid, open_fields
from tasks.fields.training import Settings
from tasks.runtime.parallel import disconnect
from tasks.scoring.scores import paired_test
from tests.synthetic_fields import write

DEV = "--dev" in sys.argv
KAPLAN = Path("climate", "kaplan_sst_pacific.nc")
LAST, END = ("1979-12", "1994-12") if DEV else ("1994-12", "2014-10")
DRAWS = 100
NOISE = 0.3
"""Standard deviation in °C of errors added to the known cells. The Kaplan analysis has only 80 degrees of
freedom, so without errors a reconstruction with 80 EOFs is exact to a thousandth of a degree."""

EOFS = 30
"""Number of EOFs of the peer's inverse model, the best of 10 to 60 on 1980–94."""

FACTORS, MONTHS = (1, 4, 16), 1_906

TIMED = """
import sys, time
from pathlib import Path
from tasks.fields.fit import fit
from tasks.fields.reading import open_fields
from tasks.fields.training import Settings
times = {}
fields, out = open_fields(Path(sys.argv[1])), Path(sys.argv[2])
fit(fields, Settings(epochs=3), out, lambda label, done, total: times.setdefault(done, time.monotonic()))
Path(sys.argv[3]).write_text(str((times[3] - times[1]) / 2))
"""
"""Script that measures the mean time of the second and third epoch, as the first includes Ray's start."""

KEPT = (5, 10, 15, 20, 25, 30, 40)
"""Numbers of EOFs to try for gaps; the best one on the last fifth of the training months is used."""


def field() -> Iterator[Row]:
    fields = open_fields(_kaplan()).until(np.datetime64(END))
    past = fields.until(np.datetime64(LAST))
    with tempfile.TemporaryDirectory(prefix="basin-field-") as folder:
        model = fit(past, Settings(), Path(folder) / "model")
    disconnect()
    yield from _forecasts(model, fields, len(past.months))
    yield from _gaps(model, fields, len(past.months))


def _forecasts(model: FieldModel, fields: Fields, first: int) -> Iterator[Row]:
    grid = model.grid
    values, root = fields.read(0, len(fields.months))[:, grid.mask], np.sqrt(grid.area)
    for lead, ahead in enumerate(LEADS):
        if not ahead:
            continue
        peer = InverseModel(values[:first], seasons(fields.months[:first]), root, ahead)
        squares, scores = [], []
        for aim in range(first, len(values)):
            origin, truth = aim - ahead, values[aim]
            law = model.forecast(fields, fields.months[origin], lead, DRAWS, aim)
            mean, samples = peer.law(values[origin], int(seasons(fields.months[[aim]])[0]), DRAWS, aim)
            squares.append([np.square((truth - m) * root).mean() for m in (law.mean, mean)])
            scores.append(
                [float(scoringrules.es_ensemble(truth * root, s * root)) for s in (law.samples, samples)]
            )
        for what, found, take in (
            ("RMSE, °C", squares, np.sqrt),
            ("energy score", scores, lambda mean: mean),
        ):
            ours, theirs = take(np.mean(found, axis=0))
            difference = np.subtract(*np.transpose(found))
            paired = paired_test(difference, fields.months[first:], 13)
            t = paired["t"]
            shown = f"{ours:.4f} against {theirs:.4f} (t {t:+.1f})"
            what = f"field {ahead} months ahead, {len(found)} months from {fields.months[first]}: {what}"
            comparison = None
            if what.endswith("energy score"):
                comparison = Comparison.paired(
                    f"Pacific sea-surface temperature fields, {ahead} months ahead, 1995–2014",
                    "energy score",
                    {"ebm": ours, "linear-inverse-model": theirs},
                    "linear-inverse-model",
                    -paired["mean"],
                    paired["se"],
                    digits=2,
                )
            yield Row(
                what,
                "not above the inverse model",
                shown,
                ours <= theirs,
                value=ours,
                comparison=comparison,
            )


class InverseModel:
    """Peer: a linear inverse model with Gaussian errors, scaled by errors on the last fifth of its months."""

    def __init__(self, values: np.ndarray, season: np.ndarray, root: np.ndarray, ahead: int) -> None:
        self.root, self.ahead = root, ahead
        self._fit(values, season, start := int(len(values) * (1 - JUDGED)))
        aims = np.arange(start, len(values))
        late = values[aims] - self._mean(values[aims - ahead], season[aims])
        early = self._errors(values[:start], season[:start])
        self._fit(values, season, len(values))
        errors = self._errors(values, season)
        self.covariance = errors.T @ errors / len(errors) * max(1.0, (late**2).mean() / (early**2).mean())

    def _fit(self, values: np.ndarray, season: np.ndarray, count: int) -> None:
        values, season = values[:count], season[:count]
        self.normals = np.stack([values[season == month].mean(axis=0) for month in range(12)])
        anomalies = (values - self.normals[season]) * self.root
        self.eofs = np.linalg.svd(anomalies, full_matrices=False)[2][:EOFS].T
        state = anomalies @ self.eofs
        step = np.linalg.lstsq(state[:-1], state[1:], rcond=None)[0]
        self.propagator = np.linalg.matrix_power(step, self.ahead)

    def _mean(self, now: np.ndarray, season: np.ndarray) -> np.ndarray:
        state = (now - self.normals[(season - self.ahead) % 12]) * self.root @ self.eofs
        return self.normals[season] + state @ self.propagator @ self.eofs.T / self.root

    def _errors(self, values: np.ndarray, season: np.ndarray) -> np.ndarray:
        return values[self.ahead :] - self._mean(values[: -self.ahead], season[self.ahead :])

    def law(self, now: np.ndarray, season: int, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        mean = self._mean(now[None], np.array([season]))[0]
        errors = np.random.default_rng(seed).multivariate_normal(
            np.zeros(len(mean)), self.covariance, draws, method="eigh"
        )
        return mean, mean + errors


def _gaps(model: FieldModel, fields: Fields, first: int) -> Iterator[Row]:
    grid, season = model.grid, seasons(fields.months)
    values = fields.read(0, len(fields.months))[:, grid.mask]
    anomalies = values - model.base.normals[season]
    fitted = int(first * (1 - JUDGED))
    for kind in ("half of the cells, at random", "seven columns of cells"):
        rng = np.random.default_rng(0)
        gaps = [_gap(kind, grid, rng) for _ in values]
        seen = anomalies + NOISE * rng.standard_normal(anomalies.shape)
        basis = np.linalg.svd(anomalies[:fitted], full_matrices=False)[2].T

        def missed(
            row: int, count: int, basis: np.ndarray, seen: np.ndarray = seen, gaps: list = gaps
        ) -> float:
            gap = gaps[row]
            there = reconstructed(seen[row], gap, basis[:, :count])
            return float(np.square(there - anomalies[row])[gap].mean())

        kept = min(
            KEPT, key=lambda count: np.mean([missed(row, count, basis) for row in range(fitted, first, 6)])
        )
        basis = np.linalg.svd(anomalies[:first], full_matrices=False)[2].T
        ours, theirs = [], []
        for row in range(first, len(values)):
            known = np.where(gaps[row], np.nan, seen[row] + model.base.normals[season[row]])
            filled = model.fill(known, fields.months[row], NOISE)[0]
            ours.append(float(np.square(filled - values[row])[gaps[row]].mean()))
            theirs.append(missed(row, kept, basis))
        one, other = (float(np.sqrt(np.mean(found))) for found in (ours, theirs))
        what = f"{kind} missing, the others known to {NOISE} °C: RMSE, °C"
        yield Row(
            what,
            "below EOF reconstruction",
            f"{one:.3f} against {other:.3f} ({kept} EOFs)",
            one < other,
            value=one,
            unit="°C",
        )


def reconstructed(seen: np.ndarray, gap: np.ndarray, basis: np.ndarray, rounds: int = 100) -> np.ndarray:
    """DINEOF: fill the gap by iterated projection of the whole field on its leading EOFs.

    Reference: Beckers and Rixen (2003), EOF calculations and data filling, J. Atmos. Oceanic Technol. 20.
    """
    filled = np.where(gap, 0.0, seen)
    for _ in range(rounds):
        filled = np.where(gap, basis @ (basis.T @ filled), filled)
    return filled


def _gap(kind: str, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    column = np.broadcast_to(np.arange(grid.mask.shape[1]), grid.mask.shape)[grid.mask]
    if kind.startswith("half"):
        return rng.random(len(column)) < 0.5
    first = rng.integers(0, grid.mask.shape[1] - 7)
    return (column >= first) & (column < first + 7)


def scale() -> Iterator[Row]:
    """Measure memory and time of fits to 1, 4 and 16 times the months of the Kaplan file."""
    memory, seconds = [], []
    for factor in FACTORS:
        with tempfile.TemporaryDirectory(prefix="basin-field-") as folder:
            lat, lon = np.arange(-27.5, 30, 5), np.arange(-177.5, -70, 5)
            data = write(Path(folder) / "made.nc", MONTHS * factor, lat=lat, lon=lon)
            told = Path(folder) / "seconds"
            running = subprocess.Popen([sys.executable, "-c", TIMED, data, Path(folder) / "model", told])
            peak = 0
            while running.poll() is None:
                peak = max(peak, _memory(psutil.Process(running.pid)))
                time.sleep(0.5)
            memory.append(peak / 2**30)
            seconds.append(float(told.read_text()) / factor)
        print(
            f"  × {factor}: {memory[-1]:.2f} GiB, {seconds[-1]:.1f} s an epoch and {MONTHS:,} months",
            flush=True,
        )
    sizes = "×" + ", ×".join(map(str, FACTORS))
    shown = ", ".join(f"{size:.2f} GiB" for size in memory)
    flat = max(memory) <= 1.15 * memory[0]
    yield Row(
        f"fit of fields, {sizes} of {MONTHS:,} months: peak memory",
        "flat within 15 %",
        shown,
        flat,
        value=max(memory),
        unit="GiB",
    )
    shown = ", ".join(f"{each:.1f} s" for each in seconds)
    linear = max(seconds) <= 1.15 * seconds[0]
    yield Row(
        f"the same: time of an epoch, for {MONTHS:,} months",
        "not growing (15 %)",
        shown,
        linear,
        value=max(seconds),
        unit="s",
    )


def _memory(process: psutil.Process) -> int:
    """Return the bytes used by a process and its children, with shared memory counted once."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total


def _kaplan() -> Path:
    mirror = os.environ.get("BASIN_DATA_MIRROR")
    path = Path(mirror or ".", KAPLAN)
    if not mirror or not path.exists():
        raise SystemExit(f"field: {path} does not exist; set BASIN_DATA_MIRROR to a folder with {KAPLAN}")
    return path
