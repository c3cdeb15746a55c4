"""Models of monthly fields on a grid."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basin import options
from basin.options import Source
from tasks.runtime.errors import BasinError
from tasks.runtime.stored import in_folder

if TYPE_CHECKING:
    from tasks.fields.field import Field


@options.with_known_options
def field(
    data: Source,
    *,
    variable: str | None = None,
    model: str | PathLike[str] | None = None,
    until: str | None = None,
    epochs: int = 20,
    width: int = 16,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> "Field":
    """Fit a model to monthly fields on a grid of latitude and longitude.

    The model forecasts the fields 3 and 6 months ahead, draws fields of a calendar month, scores how unusual
    a month is and fills missing cells. To test its forecasts, fit it to the months ``until`` a date, and
    forecast from later months.

    Parameters
    ----------
    data : DataArray, Dataset, str or Path
        Fields with dimensions of time, latitude and longitude, or the path of a NetCDF file or Zarr folder.
    variable : str, optional
        Variable to read. The default is the only one with time, latitude and longitude.
    model : str or Path, optional
        Folder of an earlier model, which is used without a new fit.
    until : str, optional
        Last month used for the fit, such as ``"1994-12"``. The default is the last month.
    epochs : int, default 20
        Number of passes over the training data.
    width : int, default 16
        Number of channels of the energy network.
    seed : int, default 0
        Seed of the fit.
    out : str or Path, optional
        Folder for the model. It must be new, empty, or hold an earlier model. An interrupted fit resumes
        there from its last checkpoint. By default a temporary folder is used, which is deleted with the
        result.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call did not write. Other files stay.

    Returns
    -------
    Field
        The model and the fields, with the methods ``forecast``, ``sample``, ``score`` and ``fill``.

    Raises
    ------
    BasinError
        If the data are not monthly fields on a grid, or not on that of ``model``. The message is one line
        that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    >>> import basin
    >>> import xarray as xr
    >>> sst = xr.open_dataset("sst.nc")["sst"]  # doctest: +SKIP
    >>> field = basin.field(sst, until="2009-12", out="out/sst")  # doctest: +SKIP
    >>> field.forecast(origin="2015-06")["mean"].sel(lead=6).plot()  # doctest: +SKIP
    """
    from tasks.userdata.sources import as_data

    found: Any = as_data(data)
    if not isinstance(found, Path) and not hasattr(found, "data_vars"):
        raise BasinError(
            "data: expected a DataArray or Dataset of xarray, or the path of a NetCDF file or Zarr folder, "
            f"found {type(data).__name__}; convert a table with to_xarray()"
        )
    from tasks.fields.field import fitted, loaded
    from tasks.fields.training import Settings

    if model is not None:
        if until is not None or out is not None:
            raise BasinError("model excludes until and out, which are for a fit; omit them or model")
        if not isinstance(model, str | PathLike):
            raise BasinError(f"model={model!r}: expected the path of the folder of an earlier model")
        return loaded(found, Path(model), variable)
    settings = Settings(epochs=epochs, width=width, seed=seed)
    return in_folder(out, lambda folder: fitted(found, variable, until, settings, folder, overwrite))
