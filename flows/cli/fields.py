"""``basin field``: monthly fields on a grid, from a NetCDF or Zarr file of the user's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.errors import one_line_errors
from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.fields.model import FieldModel
    from tasks.fields.reading import Fields

app = typer.Typer(
    no_args_is_help=True, help="Monthly fields on a grid: fit, forecast, sample, score, fill gaps."
)

Data = Annotated[Path, typer.Option("--data", help="NetCDF file or Zarr folder with time, lat and lon.")]
Variable = Annotated[str | None, typer.Option("--variable", help="Its variable.  [default: the only one]")]
Model = Annotated[Path, typer.Option("--model", help="Folder of a model that `basin field fit` wrote.")]
Out = Annotated[Path, typer.Option("--out", help="File for the result.")]
Draws = Annotated[int, typer.Option("--draws", min=2, help="Samples.")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything random.")]


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")],
    variable: Variable = None,
    until: Annotated[str | None, typer.Option(help="Last month to learn from, e.g. 1994-12.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 20,
    width: Annotated[int, typer.Option(min=1, help="Channels of the energy.")] = 16,
    seed: Seed = 0,
) -> None:
    """Fit the inverse model and its energy on Ray; a fit that was killed goes on where it was."""
    with one_line_errors():
        from flows.cli.display import Display
        from tasks.fields.base import LEADS
        from tasks.fields.fit import fit as fit_model
        from tasks.fields.model import load_model
        from tasks.fields.reading import open_fields
        from tasks.fields.training import Settings

        fields = open_fields(data, variable).until(_month("--until", until))
        settings = Settings(epochs=epochs, width=width, seed=seed)
        with Display() as display:
            display.stages(fields.name)("fit", lambda progress: fit_model(fields, settings, out, progress))
        model = load_model(out)
        weights = ", ".join(
            f"{weight:.2f} at {lead}" for lead, weight in zip(LEADS, model.weights, strict=True)
        )
        typer.echo(f"{model.name}: {int(model.grid.mask.sum())} cells, {model.first} to {model.last}")
        typer.echo(f"weight of the energy, 0 is the inverse model alone: {weights} months ahead")
        typer.echo(f"model: {out}")


@app.command()
def forecast(
    data: Data,
    model: Model,
    out: Out,
    variable: Variable = None,
    origin: Annotated[str | None, typer.Option("--from", help="Month to look ahead from.  [last]")] = None,
    draws: Draws = 100,
    seed: Seed = 0,
) -> None:
    """The fields 3 and 6 months ahead: mean, spread and samples, as NetCDF."""
    with one_line_errors():
        from tasks.fields.base import LEADS
        from tasks.fields.output import write_forecasts

        law, fields = _load(model, data, variable)
        at = _month("--from", origin) if origin else fields.months[-1]
        found = [law.forecast(fields, at, lead, draws, seed) for lead in range(len(LEADS)) if LEADS[lead]]
        write_forecasts(law, found, out)
        for each in found:
            area = law.grid.area / law.grid.area.sum()
            mean, spread = float(each.mean @ area), float(each.samples.std(axis=0) @ area)
            typer.echo(f"{each.month}: mean {mean:+.2f} {law.units}, spread of a cell {spread:.2f}")
        typer.echo(f"fields: {out}")


@app.command()
def sample(
    model: Model,
    out: Out,
    month: Annotated[int, typer.Option(min=1, max=12, help="Calendar month.")],
    draws: Draws = 16,
    seed: Seed = 0,
) -> None:
    """Fields of a calendar month as they may come in any year, as NetCDF."""
    with one_line_errors():
        from tasks.fields.model import load_model
        from tasks.fields.output import write_forecasts

        law = load_model(model)
        write_forecasts(law, [law.sample(month, draws, seed)], out)
        typer.echo(f"fields: {out}")


@app.command()
def score(data: Data, model: Model, out: Out, variable: Variable = None) -> None:
    """The energy of every month, as CSV: high where a field is unlike those of the fit."""
    with one_line_errors():
        from tasks.fields.output import write_energies

        law, fields = _load(model, data, variable)
        rows = write_energies(law, fields, out)
        for month, energy, share in sorted(rows, key=lambda row: -row[1])[:5]:
            typer.echo(f"{month}: energy {energy:.1f}, as high in {share:.1%} of the months of the fit")
        typer.echo(f"all {len(rows)} months: {out}")


@app.command()
def fill(
    data: Data,
    model: Model,
    out: Out,
    month: Annotated[str, typer.Option(help="Month with missing cells, e.g. 1997-11.")],
    variable: Variable = None,
    noise: Annotated[float, typer.Option(min=0, help="Standard deviation of the values' errors.")] = 0.0,
) -> None:
    """A month's field with its missing cells filled in, and how sure each is, as NetCDF."""
    with one_line_errors():
        from tasks.fields.output import write_filled

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
    return law, fields


def _month(option: str, text: str | None) -> Any:
    """A month option as ``datetime64[M]``; raises ``BasinError`` where it is none."""
    import numpy as np

    if text is None:
        return None
    try:
        return np.datetime64(text, "M")
    except ValueError as error:
        raise BasinError(f"{option} {text}: expected a month such as 1994-12") from error
