"""``basin field``: models of monthly fields on a grid, fitted to the user's NetCDF or Zarr file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import options
from flows.cli.errors import one_line_errors
from tasks.runtime.errors import BasinError, counted
from tasks.runtime.outputs import require_file

if TYPE_CHECKING:
    from tasks.fields.model import FieldModel
    from tasks.fields.reading import Fields

app = typer.Typer(
    no_args_is_help=True, help="Model monthly fields on a grid: fit, forecast, sample, score and fill gaps."
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


@app.command()
def fit(
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
    """Fit a linear inverse model and its energy. An interrupted fit resumes from its last checkpoint."""
    with one_line_errors("the same command continues at the last epoch"):
        from flows.cli.display import Display
        from tasks.fields.base import LEADS
        from tasks.fields.coverage import coverage
        from tasks.fields.fit import fit as fit_model
        from tasks.fields.model import load_model
        from tasks.fields.reading import open_fields
        from tasks.fields.training import Settings

        fields = open_fields(data, variable).until(_month("--until", until))
        _say([*fields.notes, *coverage(fields, fields.used())])
        settings = Settings(epochs=epochs, width=width, seed=seed)
        with Display() as display:
            display.stages(fields.name)(
                "fit", lambda progress: fit_model(fields, settings, out, progress, overwrite)
            )
        model = load_model(out)
        weights = ", ".join(
            f"{weight:.2f} at {lead}" for lead, weight in zip(LEADS, model.weights, strict=True)
        )
        typer.echo(f"{model.name}: {int(model.grid.mask.sum())} cells, {model.first} to {model.last}")
        typer.echo(f"weight of the energy (0 is the inverse model alone): {weights} months ahead")
        typer.echo(f"model: {out}")


@app.command()
def forecast(
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
    """Forecast the fields 3 and 6 months ahead; write their mean, spread and samples as NetCDF."""
    with one_line_errors():
        from tasks.fields.base import BEFORE, LEADS
        from tasks.fields.output import write_forecasts

        require_file(out, overwrite)
        law, fields = _load(model, data, variable)
        at = _month("--from", origin) if origin else fields.months[-1]
        found = [law.forecast(fields, at, lead, draws, seed) for lead in range(len(LEADS)) if LEADS[lead]]
        write_forecasts(law, found, out)
        gaps = {month: law.missing(fields, month) for month in (at, at - BEFORE)}
        _say(f"{counted(gaps[m], 'cell')} of {m} missing: filled from the others" for m in gaps if gaps[m])
        for each in found:
            area = law.grid.area / law.grid.area.sum()
            mean, spread = float(each.mean @ area), float(each.samples.std(axis=0) @ area)
            typer.echo(
                f"{each.month}: mean {mean:+.2f} {law.units}, standard deviation per cell {spread:.2f}"
            )
        typer.echo(f"fields: {out}")


@app.command()
def sample(
    model: Model,
    out: Out,
    month: Annotated[int, typer.Option(min=1, max=12, help="Calendar month, 1 to 12.")],
    draws: Draws = 16,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw possible fields of a calendar month in any year; write them as NetCDF."""
    with one_line_errors():
        from tasks.fields.model import load_model
        from tasks.fields.output import write_forecasts

        require_file(out, overwrite)
        law = load_model(model)
        write_forecasts(law, [law.sample(month, draws, seed)], out)
        typer.echo(f"fields: {out}")


@app.command()
def score(
    data: Data, model: Model, out: Out, variable: Variable = None, overwrite: Overwrite = False
) -> None:
    """Write the energy of every month as CSV. A field unlike the training data has a high energy."""
    with one_line_errors():
        from tasks.fields.output import write_energies

        require_file(out, overwrite)
        law, fields = _load(model, data, variable)
        rows = write_energies(law, fields, out)
        for month, energy, share in sorted(rows, key=lambda row: -row[1])[:5]:
            typer.echo(f"{month}: energy {energy:.1f}, as high in {share:.1%} of the training months")
        left = len(fields.months) - len(rows)
        if left:
            _say([f"{counted(left, 'month')} with missing cells left out"])
        typer.echo(f"{'all' if not left else 'the other'} {len(rows)} months: {out}")


@app.command()
def fill(
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
    """Fill the missing cells of a month; write the values and their uncertainty as NetCDF."""
    with one_line_errors():
        from tasks.fields.output import write_filled

        require_file(out, overwrite)
        law, fields = _load(model, data, variable)
        at = _month("--month", month)
        count = write_filled(law, fields, at, noise, out)
        typer.echo(f"{at}: {count} of {int(law.grid.mask.sum())} cells filled: {out}")


def _load(model: Path, data: Path, variable: str | None) -> "tuple[FieldModel, Fields]":
    from tasks.fields.model import load_model
    from tasks.fields.reading import open_fields

    law = load_model(model)
    fields = open_fields(data, variable or law.name)
    law.check(fields)
    _say(fields.notes)
    return law, fields


def _say(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        typer.echo(f"- {sentence}")


def _month(option: str, text: str | None) -> Any:
    """Parse a month option as ``datetime64[M]``; raises ``BasinError`` if it is not a month."""
    import numpy as np

    if text is None:
        return None
    try:
        return np.datetime64(text, "M")
    except ValueError as error:
        raise BasinError(f"{option} {text}: not a month; write it as in 1994-12") from error
