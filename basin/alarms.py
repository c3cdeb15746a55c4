"""Alarms of an event on the path of a price."""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING

from basin import options
from basin.options import BadRow, Day, Label, Labels, Source
from tasks.runtime.errors import BasinError
from tasks.runtime.stored import in_folder

if TYPE_CHECKING:
    from tasks.userdata.alarm import Alarm
    from tasks.userdata.request import Kind


@options.with_known_options
def alarm(
    data: Source,
    event: str,
    *,
    target: Label | None = None,
    exog: Labels = (),
    max_false_alarms_per_year: float = 2.0,
    test_from: Day | None = None,
    test_to: Day | None = None,
    time: Label | None = None,
    kind: "Kind | None" = None,
    freq: str | None = None,
    dev: bool = False,
    on_bad_row: BadRow = "stop",
    resample: str | None = None,
    calendar: str | None = None,
    strict: bool = False,
    accept: Mapping[str, str] | None = None,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> "Alarm":
    """Estimate the probability of an event for each date and raise alarms within a budget of false alarms.

    Parameters
    ----------
    data : DataFrame, Series, DataArray, Dataset, str or Path
        One series of prices or returns with its dates, or the path of a file, as in :func:`forecast`.
    event : str
        Event in the rows that follow a date. For example, ``min<=-0.08@21`` is a fall of 8 % or more within
        21 rows. An event consists of a statistic (``min``, ``max``, ``sum`` or ``end``), ``<=`` or ``>=``, a
        simple return, ``@`` and the number of rows.
    target : label, optional
        Column of the prices or returns.
    exog : label or sequence of labels, optional
        Columns used as further inputs. Their values must be known at the same time as those of the target.
    max_false_alarms_per_year : float, default 2.0
        Budget of false alarms. The threshold of each year is chosen on the years before to stay within it.
    test_from, test_to : str or date, optional
        First and last date to score. By default the second half of the dates with a probability is scored.
    time, kind, freq, on_bad_row, resample, calendar, strict, accept
        As in :func:`forecast`.
    dev : bool, default False
        Score dates before ``test_from``, and read no later row, while you develop.
    out : str or Path, optional
        Folder for the results: ``alarm.json``, ``alarm.parquet``, ``alarm.png`` and ``report.html``. It must
        be new, empty, or hold earlier results. By default a temporary folder is used, which is deleted with
        the result.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call did not write. Other files stay.

    Returns
    -------
    Alarm
        Scores of the probabilities, the events caught and missed, and the probability of each day.

    Raises
    ------
    BasinError
        If the data are not one series of prices, have invalid rows or too few rows, or if the event or the
        budget is not valid. The message is one line that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    Warn of falls of 8 % or more within 21 trading days of the NASDAQ.

    >>> import basin
    >>> from arch.data import nasdaq
    >>> result = basin.alarm(nasdaq.load(), event="min<=-0.08@21", target="Adj Close")  # doctest: +SKIP
    >>> print(result)  # doctest: +SKIP
    >>> result.history.query("alarm")  # doctest: +SKIP
    """
    from tasks.userdata.run import alarm as run
    from tasks.userdata.sources import as_data

    if not isinstance(event, str):
        raise BasinError(
            f"event: expected a text such as 'min<=-0.08@21', found {type(event).__name__}; the data come "
            "first"
        )
    request = options.request(
        target=target,
        exog=exog,
        test_from=test_from,
        test_to=test_to,
        time=time,
        kind=kind,
        freq=freq,
        dev=dev,
        on_bad_row=on_bad_row,
        resample=resample,
        calendar=calendar,
        strict=strict,
        accept=accept,
    )
    found, budget = as_data(data), max_false_alarms_per_year
    return in_folder(out, lambda folder: run(found, request, event, budget, folder, overwrite=overwrite))
