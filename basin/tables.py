"""What is understood of a table, and whether it can be used for learning."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from basin import options
from basin.options import BadRow, Label, Labels, Source
from tasks.runtime.keywords import with_keywords
from tasks.runtime.stored import in_folder

if TYPE_CHECKING:
    from tasks.userdata.audit import Audit
    from tasks.userdata.inspection import Inspection
    from tasks.userdata.request import Kind


@options.with_known_options
def inspect(
    data: Source,
    *,
    target: Labels | None = None,
    exog: Labels = (),
    time: Label | None = None,
    series: Label | None = None,
    targets: Literal["all"] | None = None,
    kind: "Kind | None" = None,
    freq: str | None = None,
    on_bad_row: BadRow = "stop",
    resample: str | None = None,
    calendar: str | None = None,
) -> "Inspection":
    """Return what is understood of the data, and what may be wrong with them. Nothing is fitted or written.

    Parameters
    ----------
    data : DataFrame, Series, DataArray, Dataset, str or Path
        Data with their dates, or the path of a file, as in :func:`forecast`.
    target, exog, time, series, targets, kind, freq, on_bad_row, resample, calendar
        As in :func:`forecast`.

    Returns
    -------
    Inspection
        The roles of the columns, the frequency, calendar and kind, the next date, and warnings.

    Raises
    ------
    BasinError
        If the data cannot be read. The message is one line that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    >>> import basin
    >>> import pandas as pd
    >>> days = pd.bdate_range("2020-01-01", periods=300)
    >>> found = basin.inspect(pd.Series(range(100, 400), index=days, name="close"))
    >>> found.rows["next date"]
    '2021-02-24'
    """
    from tasks.userdata.inspection import inspect as look
    from tasks.userdata.sources import as_data

    request = options.request(
        target=target,
        exog=exog,
        time=time,
        series=series,
        targets=targets,
        kind=kind,
        freq=freq,
        on_bad_row=on_bad_row,
        resample=resample,
        calendar=calendar,
    )
    found = look(as_data(data), request)
    return replace(found, refusal=found.refusal and with_keywords(found.refusal))


@options.with_known_options
def audit(
    data: Source,
    *,
    time: Label | None = None,
    target: Label | None = None,
    series: Label | None = None,
    spec: Mapping[str, Any] | str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> "Audit":
    """Check whether a table can be used for learning.

    The checks find gaps, duplicates, impossible values and inputs that contain the future (look-ahead). Those
    of labelled rows find classes with too few rows, copies between training and test rows, and inputs that
    reveal a protected column.

    Parameters
    ----------
    data : DataFrame, Series, DataArray, Dataset, str or Path
        Table, or the path of a file, as in :func:`forecast`.
    time, target, series : label, optional
        Columns of the dates, of the values and of the names of the series. The first two are found by
        default.
    spec : dict, str or Path, optional
        Description of the columns, such as ``{"label": "ill", "protected": ["sex"]}``, or the YAML file that
        has it. The guide *Auditing a table* lists the keys.
    out : str or Path, optional
        Folder for ``audit.json`` and ``audit.html``. It must be new, empty, or hold earlier results. By
        default a temporary folder is used, which is deleted with the result.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call did not write. Other files stay.

    Returns
    -------
    Audit
        Status and finding of each check. A check that fails raises no error.

    Raises
    ------
    BasinError
        If the data cannot be read, or if a column or a key of the spec is unknown.
    TypeError
        If an option is unknown.

    Examples
    --------
    >>> import basin
    >>> import numpy as np
    >>> import pandas as pd
    >>> days = pd.bdate_range("2020-01-01", periods=300)
    >>> close = 100 + np.random.default_rng(0).normal(size=300).cumsum()
    >>> frame = pd.DataFrame({"close": close, "hint": np.append(np.diff(close), 0.0)}, index=days)
    >>> found = basin.audit(frame, target="close")
    >>> found.status, found.checks.loc["look-ahead", "status"]
    ('fail', 'fail')
    """
    from tasks.checks.table.evidence import read_spec
    from tasks.userdata.audit import audit as run
    from tasks.userdata.sources import as_data

    described = Path(spec) if isinstance(spec, (str, PathLike)) else spec
    named = {"time": time, "target": target, "series": series}
    asked = read_spec(described, **{role: options.column(label) for role, label in named.items()})
    found = as_data(data)
    return in_folder(out, lambda folder: run(found, asked, folder, overwrite))
