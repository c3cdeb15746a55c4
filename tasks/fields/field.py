"""Model of monthly fields together with the fields that it forecasts from, for Python."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tasks.fields.base import LEADS
from tasks.fields.coverage import coverage
from tasks.fields.fit import fit
from tasks.fields.model import FieldModel, load_model
from tasks.fields.output import energies_of, filled_of, forecasts_of
from tasks.fields.reading import Fields, fields_of
from tasks.fields.training import Settings
from tasks.runtime.errors import BasinError
from tasks.runtime.stored import Stored
from tasks.sources.netcdf import open_dataset, with_times

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, repr=False)
class Field(Stored):
    """Result of :func:`basin.field`: a model of monthly fields on a grid, and the fields of the data.

    Attributes
    ----------
    folder : Path
        Folder of the model.
    model : FieldModel
        Base, energy and weights.
    fields : Fields
        Fields of the data.
    notes : tuple of str
        A sentence for each thing that was done to read the data.

    Examples
    --------
    >>> import basin
    >>> field = basin.field("sst.nc", until="2009-12", out="out/sst")  # doctest: +SKIP
    >>> field.forecast(origin="2015-06")["mean"].sel(lead=6).plot()  # doctest: +SKIP
    """

    command = "field fit"

    folder: Path
    model: FieldModel
    fields: Fields
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return the size of the grid, the months of the fit and of the data, the weights and the notes."""
        model = self.model
        weights = ", ".join(
            f"{weight:.2f} at {lead}" for lead, weight in zip(LEADS, model.weights, strict=True)
        )
        return "\n".join(
            [
                f"{model.name}: {int(model.grid.mask.sum())} cells, fitted to {model.first} to {model.last}, "
                f"data {self.fields.span}",
                f"weight of the energy (0 is the inverse model alone): {weights} months ahead",
                *(f"- {sentence}" for sentence in self.notes),
            ]
        )

    def forecast(self, origin: str | None = None, draws: int = 100, seed: int = 0) -> "xr.Dataset":
        """Forecast the fields 3 and 6 months after a month of the data.

        Parameters
        ----------
        origin : str, optional
            Month at which the forecast is made, such as ``"1997-06"``. The default is the last month.
        draws : int, default 100
            Number of samples.
        seed : int, default 0
            Seed of the samples.

        Returns
        -------
        Dataset
            ``mean``, ``spread`` and ``sample`` over ``init``, ``lead`` (months), ``member``, ``lat`` and
            ``lon``.
        """
        at = self.fields.months[-1] if origin is None else month_of("origin", origin)
        leads = [k for k, lead in enumerate(LEADS) if lead]
        found = [self.model.forecast(self.fields, at, lead, draws, seed) for lead in leads]
        return forecasts_of(self.model, found)

    def sample(self, month: int, draws: int = 16, seed: int = 0) -> "xr.Dataset":
        """Draw possible fields of a calendar month, 1 to 12, in any year."""
        if month not in range(1, 13):
            raise BasinError(f"month {month}: expected a calendar month, 1 to 12")
        return forecasts_of(self.model, [self.model.sample(month, draws, seed)])

    def score(self) -> pd.DataFrame:
        """Return the energy of each month, and the share of the months of the fit with at least that energy.

        A field unlike the training data has a high energy and a small share. Months with missing cells are
        left out.
        """
        rows = energies_of(self.model, self.fields)
        return pd.DataFrame(rows, columns=["month", "energy", "share_as_high"]).set_index("month")

    def fill(self, month: str, noise: float = 0.0) -> "xr.Dataset":
        """Fill the missing cells of a month.

        Parameters
        ----------
        month : str
            Month of the data, such as ``"1997-11"``.
        noise : float, default 0.0
            Standard deviation of the measurement error, in the unit of the data.

        Returns
        -------
        Dataset
            ``filled``, the values, and ``spread``, their standard deviation, over ``lat`` and ``lon``.
        """
        return filled_of(self.model, self.fields, month_of("month", month), noise)


def read_fields(data: "Path | xr.Dataset", variable: str | None) -> Fields:
    """Return the fields of a file or a dataset."""
    if isinstance(data, Path):
        return fields_of(open_dataset(data), str(data), variable)
    return fields_of(with_times(data, "the dataset"), "the dataset", variable)


def loaded(data: "Path | xr.Dataset", folder: Path, variable: str | None) -> Field:
    """Return the model in ``folder`` with the fields of the data, which must be on its grid."""
    model = load_model(folder)
    known = isinstance(data, Path) or model.name in data
    fields = read_fields(data, variable or (model.name if known else None))
    model.check(fields)
    return Field(folder, model, fields, fields.notes)


def fitted(
    data: "Path | xr.Dataset",
    variable: str | None,
    until: str | None,
    settings: Settings,
    out: Path,
    overwrite: bool,
) -> Field:
    """Fit a model to the fields up to the month ``until``, and return it with all fields."""
    for name in ("epochs", "width"):
        if getattr(settings, name) < 1:
            raise BasinError(f"{name} {getattr(settings, name)}: expected 1 or more")
    fields = read_fields(data, variable)
    used = fields.until(None if until is None else month_of("until", until))
    notes = (*fields.notes, *coverage(used, used.used()))
    return Field(out, fit(used, settings, out, overwrite=overwrite), fields, notes)


def month_of(option: str, given: str) -> np.datetime64:
    """Return an option as ``datetime64[M]``, or raise ``BasinError`` if it is not a month."""
    try:
        return np.datetime64(given, "M")
    except ValueError as error:
        raise BasinError(f"{option} {given}: not a month; write it as in 1994-12") from error
