"""``basin field``: models of monthly fields on a grid, fitted to the user's NetCDF or Zarr file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import options
from flows.cli.command import Group, command
from tasks.runtime.errors import BasinError, counted

if TYPE_CHECKING:
    from flows.cli.display import Display
    from tasks.fields.model import FieldModel
    from tasks.fields.reading import Fields

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Model monthly fields on a grid: fit, forecast, sample, score and fill gaps.",
)

Data = Annotated[
    Path, typer.Option("--data", help="NetCDF file or Zarr folder with time, latitude and longitude.")
]
Variable = Annotated[
    str | None,
    typer.Option(
        "--variable", help="Variable to read. Default: the only one with time, latitude and longitude."
    ),
]
Model = Annotated[Path, typer.Option("--model", help="Folder of a model that `basin field fit` wrote.")]
Out = Annotated[Path, typer.Option("--out", help="File for the result.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists already.")]
Draws = Annotated[int, typer.Option("--draws", min=2, help="Number of samples to draw.")]
Seed = Annotated[int, typer.Option("--seed", help="Random seed.")]


@command(app, kept="the same command continues at the last epoch")
def fit(
    display: "Display",
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")],
    variable: Variable = None,
    until: Annotated[
        str | None, typer.Option(help="Last month used for the fit, e.g. 1994-12. Default: the last month.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Number of passes over the training data.")] = 20,
    width: Annotated[int, typer.Option(min=1, help="Number of channels of the energy network.")] = 16,
    seed: Seed = 0,
    overwrite: options.Overwrite = False,
) -> None:
    """Fit a linear inverse model and its energy. An interrupted fit resumes from its last checkpoint.

    Examples
    --------
    basin field fit --data sst.nc --out model
    basin field fit --data sst.nc --until 1994-12 --out model
    """
    from tasks.fields.base import LEADS
    from tasks.fields.coverage import coverage
    from tasks.fields.fit import fit as fit_model
    from tasks.fields.model import load_model
    from tasks.fields.reading import open_fields
    from tasks.fields.training import Settings

    fields = open_fields(data, variable).until(_month("--until", until))
    notes = [*fields.notes, *coverage(fields, fields.used())]
    display.notes(notes)
    settings = Settings(epochs=epochs, width=width, seed=seed)
    with display:
        display.stages(fields.name)(
            "fit", lambda progress: fit_model(fields, settings, out, progress, overwrite)
        )
    model = load_model(out)
    cells, weights = int(model.grid.mask.sum()), dict(zip(LEADS, map(float, model.weights), strict=True))
    words = ", ".join(f"{weight:.2f} at {lead}" for lead, weight in weights.items())
    display.print(
        f"{model.name}: {cells} cells, {model.first} to {model.last}",
        f"weight of the energy (0 is the inverse model alone): {words} months ahead",
        f"model: {out}",
    )
    display.result(
        {
            "variable": model.name,
            "cells": cells,
            "first": str(model.first),
            "last": str(model.last),
            "weights": weights,
            "notes": notes,
            "model": str(out),
        }
    )


@command(app)
def forecast(
    display: "Display",
    data: Data,
    model: Model,
    out: Out,
    variable: Variable = None,
    origin: Annotated[
        str | None,
        typer.Option("--from", help="Month at which the forecast is made. Default: the last month."),
    ] = None,
    draws: Draws = 100,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Forecast the fields 3 and 6 months ahead; write their mean, spread and samples as NetCDF.

    Examples
    --------
    basin field forecast --data sst.nc --model model --out forecast.nc
    basin field forecast --data sst.nc --model model --from 1997-06 --out forecast.nc
    """
    from tasks.fields.base import BEFORE, LEADS
    from tasks.fields.output import write_forecasts
    from tasks.runtime.outputs import require_file

    require_file(out, overwrite)
    law, fields = _load(model, data, variable)
    at = _month("--from", origin) if origin else fields.months[-1]
    found = [law.forecast(fields, at, lead, draws, seed) for lead in range(len(LEADS)) if LEADS[lead]]
    write_forecasts(law, found, out)
    gaps = {month: law.missing(fields, month) for month in (at, at - BEFORE)}
    filled = [f"{counted(gaps[m], 'cell')} of {m} missing: filled from the others" for m in gaps if gaps[m]]
    notes = [*fields.notes, *filled]
    display.notes(notes)
    area = law.grid.area / law.grid.area.sum()
    months = [
        {
            "month": str(each.month),
            "mean": float(each.mean @ area),
            "standard_deviation_per_cell": float(each.samples.std(axis=0) @ area),
        }
        for each in found
    ]
    for each in months:
        mean, spread = each["mean"], each["standard_deviation_per_cell"]
        display.print(
            f"{each['month']}: mean {mean:+.2f} {law.units}, standard deviation per cell {spread:.2f}"
        )
    display.print(f"fields: {out}")
    display.result({"unit": law.units, "months": months, "notes": notes, "fields": str(out)})


@command(app)
def sample(
    display: "Display",
    model: Model,
    out: Out,
    month: Annotated[int, typer.Option(min=1, max=12, help="Calendar month, 1 to 12.")],
    draws: Draws = 16,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw possible fields of a calendar month in any year; write them as NetCDF.

    Examples
    --------
    basin field sample --model model --month 1 --out january.nc
    """
    from tasks.fields.model import load_model
    from tasks.fields.output import write_forecasts
    from tasks.runtime.outputs import require_file

    require_file(out, overwrite)
    law = load_model(model)
    write_forecasts(law, [law.sample(month, draws, seed)], out)
    display.print(f"fields: {out}")
    display.result({"fields": str(out)})


@command(app)
def score(
    display: "Display",
    data: Data,
    model: Model,
    out: Out,
    variable: Variable = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the energy of every month as CSV. A field unlike the training data has a high energy.

    Examples
    --------
    basin field score --data sst.nc --model model --out energies.csv
    """
    from tasks.fields.output import write_energies
    from tasks.runtime.outputs import require_file

    require_file(out, overwrite)
    law, fields = _load(model, data, variable)
    rows = write_energies(law, fields, out)
    left = len(fields.months) - len(rows)
    notes = [*fields.notes, *([f"{counted(left, 'month')} with missing cells left out"] if left else [])]
    display.notes(notes)
    for month, energy, share in sorted(rows, key=lambda row: -row[1])[:5]:
        display.print(f"{month}: energy {energy:.1f}, as high in {share:.1%} of the training months")
    display.print(f"{'all' if not left else 'the other'} {len(rows)} months: {out}")
    months = [
        {"month": str(month), "energy": float(energy), "share": float(share)} for month, energy, share in rows
    ]
    display.result({"months": months, "notes": notes, "energies": str(out)})


@command(app)
def fill(
    display: "Display",
    data: Data,
    model: Model,
    out: Out,
    month: Annotated[str, typer.Option(help="Month with missing cells, e.g. 1997-11.")],
    variable: Variable = None,
    noise: Annotated[
        float, typer.Option(min=0, help="Standard deviation of the measurement error, in the data's unit.")
    ] = 0.0,
    overwrite: Overwrite = False,
) -> None:
    """Fill the missing cells of a month; write the values and their uncertainty as NetCDF.

    Examples
    --------
    basin field fill --data sst.nc --model model --month 1997-11 --out filled.nc
    """
    from tasks.fields.output import write_filled
    from tasks.runtime.outputs import require_file

    require_file(out, overwrite)
    law, fields = _load(model, data, variable)
    at = _month("--month", month)
    count, cells = write_filled(law, fields, at, noise, out), int(law.grid.mask.sum())
    display.notes(fields.notes)
    display.print(f"{at}: {count} of {cells} cells filled: {out}")
    display.result(
        {"month": str(at), "filled": count, "cells": cells, "notes": list(fields.notes), "fields": str(out)}
    )


def _load(model: Path, data: Path, variable: str | None) -> "tuple[FieldModel, Fields]":
    from tasks.fields.model import load_model
    from tasks.fields.reading import open_fields

    law = load_model(model)
    fields = open_fields(data, variable or law.name)
    law.check(fields)
    return law, fields


def _month(option: str, text: str | None) -> Any:
    """Parse a month option as ``datetime64[M]``; raises ``BasinError`` if it is not a month."""
    import numpy as np

    if text is None:
        return None
    try:
        return np.datetime64(text, "M")
    except ValueError as error:
        raise BasinError(f"{option} {text}: not a month; write it as in 1994-12") from error
