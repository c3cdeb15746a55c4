"""Options shared by the commands that read a user's own file."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.userdata.request import Request

TEXT = "<str>"
"""Type of an option that may be repeated, as the help shows it."""

Root = Annotated[Path, typer.Option(help="Project folder, which holds dvc.yaml and params.yaml.")]
Data = Annotated[Path, typer.Option("--data", help="CSV or other text table, Excel, Parquet or NetCDF file.")]
Time = Annotated[str | None, typer.Option("--time", help="Column of the dates. Default: found in the file.")]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar=TEXT,
        help="Column (NetCDF: variable) to forecast; may be repeated for a panel. Default: found.",
    ),
]
Targets = Annotated[
    Literal["all"] | None,
    typer.Option("--targets", help="all: every column that could be forecast is a series of one panel."),
]
Resample = Annotated[
    str | None,
    typer.Option("--resample", help="Longer time step, such as MS for the months of daily values."),
]
Calendar = Annotated[
    str | None,
    typer.Option(
        "--calendar",
        help="Exchange whose trading days are the next dates, e.g. XNYS. Default: weekdays of the file.",
    ),
]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--events",
        metavar=TEXT,
        help="Event whose probability is forecast: a value beyond a threshold, as in '<=-2', or 'end>=0.5@6' "
        "for the value 6 steps ahead. Thresholds are in the unit of the forecast, those of a level in that "
        "of its anomaly. May be repeated.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at a warning of the audit.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept", metavar=TEXT, help='Accept a finding of the audit: CHECK="REASON"; may be repeated.'
    ),
]
Exog = Annotated[
    list[str] | None,
    typer.Option(
        "--exog", metavar=TEXT, help="Input column, known when the forecast is made; may be repeated."
    ),
]
Series = Annotated[
    str | None, typer.Option("--series", help="Column with the name of the series, if there are several.")
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", help="Kind of the target: price, return, rate or level. Default: inferred."),
]
Freq = Annotated[
    str | None,
    typer.Option(
        "--freq",
        help="Time step: 5min, h, D, B (trading day), W, MS or ME (month), QS, YS. Default: inferred.",
    ),
]
Horizon = Annotated[
    int | None, typer.Option("--horizon", help="Forecast all steps ahead from 1 to this number.")
]
Leads = Annotated[
    str | None, typer.Option("--leads", help="Forecast these steps ahead, e.g. 1,3,6. Default: 1.")
]
TestFrom = Annotated[
    str | None,
    typer.Option(
        "--test-from",
        help="First date of the test block. Default: the last fifth of the dates; alarm: the last half.",
    ),
]
TestTo = Annotated[
    str | None, typer.Option("--test-to", help="Last date of the test block. Default: the last date.")
]
Refit = Annotated[
    int | None, typer.Option("--refit", help="Number of rows between refits of the classical models.")
]
Peers = Annotated[
    list[str] | None,
    typer.Option(
        "--peers",
        metavar=TEXT,
        help="Models to compare with; may be repeated. Default: auto, which selects all that apply.",
    ),
]
Seeds = Annotated[int, typer.Option("--seeds", help="Number of networks whose energies are averaged.")]
Dev = Annotated[
    bool,
    typer.Option("--dev", help="Development run: test on dates before --test-from and read nothing later."),
]
BadRow = Annotated[
    str,
    typer.Option(
        "--on-bad-row",
        help="What to do with a row that cannot be used: stop, drop, or interpolate, which also fills short "
        "holes of a level from the rows before.",
    ),
]
Jointly = Annotated[
    bool,
    typer.Option("--jointly", help="Forecast the next step of all series as one joint density."),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="With --jointly: equal, or a table with the series in the first column and a column of weights "
        "for each portfolio.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace files that this command did not write. Other files stay."),
]


def request(
    target: list[str] | None,
    targets: str | None,
    accept: list[str] | None,
    exog: list[str] | None = None,
    horizon: int | None = None,
    leads: str | None = None,
    test_from: str | None = None,
    test_to: str | None = None,
    peers: list[str] | None = None,
    events: list[str] | None = None,
    weights: str | None = None,
    **others: Any,
) -> "Request":
    """Build a :class:`Request` from command-line options; ``others`` are passed on unchanged."""
    from tasks.userdata.request import Request

    return Request(
        target=target[0] if target and len(target) == 1 else tuple(target or ()) or None,
        all_targets=targets == "all",
        events=tuple(events or ()),
        accept=tuple(_accepted(given) for given in accept or ()),
        weights=portfolios(weights),
        exog=tuple(exog or ()),
        leads=steps(horizon, leads),
        test_from=day("--test-from", test_from),
        test_to=day("--test-to", test_to),
        peers=None if peers in (None, ["auto"]) else tuple(peers),
        **others,
    )


def portfolios(weights: str | None) -> dict[str, dict[str, float]] | None:
    """Return the weights of the option by portfolio."""
    if weights is None:
        return None
    from tasks.userdata.weights import portfolios_of

    return portfolios_of(weights)


def _accepted(given: str) -> tuple[str, str]:
    check, mark, reason = given.partition("=")
    if not mark:
        raise BasinError(
            f'--accept {given}: expected a check and a reason; write it as coverage="known holiday"'
        )
    return check.strip(), reason.strip().strip("\"'")


def steps(horizon: int | None, listed: str | None) -> tuple[int, ...]:
    """Return the steps ahead: 1 to ``horizon``, or those of the comma-separated list; by default one step."""
    if horizon is not None and listed is not None:
        raise BasinError("--horizon and --leads exclude each other; give one of them")
    if horizon is not None:
        if horizon < 1:
            raise BasinError(f"--horizon {horizon}: expected at least 1 step")
        return tuple(range(1, horizon + 1))
    try:
        return tuple(int(lead) for lead in (listed or "1").split(","))
    except ValueError as error:
        raise BasinError(
            f"--leads {listed}: expected whole numbers of steps; write them as in 1,3,6"
        ) from error


def day(option: str, text: str | None) -> date | None:
    """Parse a date option; raises ``BasinError`` if it is not a date."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise BasinError(f"{option} {text}: not a date; write it as in 2014-01-01") from error
