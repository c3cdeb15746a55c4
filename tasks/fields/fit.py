"""Fit of a field model to a file: training shards, training of the energy, and weights on later months."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from tasks.fields.base import LEADS, fit_base
from tasks.fields.examples import known_examples, write_shards
from tasks.fields.model import FieldModel, inflated, judged
from tasks.fields.reading import FEWEST_MONTHS, Fields
from tasks.fields.training import Settings, train
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, remove, scratch
from tasks.runtime.outputs import claim
from tasks.runtime.parallel import Progress, silent

FILES = ("model.json", "model.safetensors")
"""Files of a stored model."""

WORK = ".work"
"""Folder of intermediate files, in that of the model."""

JUDGED = 0.2
"""Share of the latest months, which are not used to train the energy but to choose its weights."""


def fit(
    fields: Fields, settings: Settings, out: Path, progress: Progress = silent, overwrite: bool = False
) -> FieldModel:
    """Fit a model to all months of ``fields`` and write it to the folder ``out``.

    The energy is trained on the first four fifths of the months. Its weights and the inflation of the base's
    variances are estimated on the others. Then the base is refitted to all months. Intermediate files are
    kept in the folder ``WORK`` of ``out``, under a hash of data and settings. If a fit was interrupted, the
    same call resumes it at the last epoch, with results identical to the last bit. Raises ``BasinError`` if
    files in ``out`` would be lost.
    """
    if len(fields.months) < FEWEST_MONTHS:
        raise BasinError(
            f"{fields.label}: {len(fields.months)} months up to {fields.months[-1]}, expected at least "
            f"{FEWEST_MONTHS} for a fit; give a later month as --until"
        )
    with claim(out, "field fit", (*FILES, WORK), overwrite):
        return _fit(fields, settings, out.absolute(), progress)


def _fit(fields: Fields, settings: Settings, out: Path, progress: Progress) -> FieldModel:
    grid = fields.used()
    start = int(len(fields.months) * (1 - JUDGED))
    early = fields.until(fields.months[start - 1])
    base = fit_base(early, grid)
    work = out / WORK
    name = _name(fields, settings)
    shards = work / name / "shards"
    if not shards.exists():
        remove(work)  # files of other data or settings
        with atomic_write(shards) as (temporary,):
            progress("shards", 0, 1)
            write_shards(known_examples(base, early, grid), temporary)
    energy = train(shards, work / name, "train", grid.mask, base, settings, progress)
    inflation, weights = judged(base, energy, fields, grid, start, settings.seed)
    model = FieldModel(
        fields.name, fields.units, str(fields.months[0]), str(fields.months[-1]),
        grid, inflated(fit_base(fields, grid), inflation), energy, weights, np.zeros(0), fields.standard_name,
    )  # fmt: skip
    known = model.of_months(fields)
    model = replace(model, known=np.sort(known[np.isfinite(known)]))
    with scratch(out) as saved, atomic_write(*(out / name for name in FILES)) as targets:
        model.save(saved / "model")
        for name, target in zip(FILES, targets, strict=True):
            (saved / "model" / name).rename(target)
    remove(work)
    return model


def _name(fields: Fields, settings: Settings) -> str:
    """Return a hash of the data and settings of a fit."""
    digest = hashlib.sha256(json.dumps([asdict(settings), LEADS, fields.name]).encode())
    for axis in (fields.months.astype(int), fields.lat, fields.lon):
        digest.update(np.ascontiguousarray(axis).tobytes())
    for _, values in fields.blocks():
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]
