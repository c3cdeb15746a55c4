"""Options shared by the commands for a user's own file."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.userdata.request import Request

LISTS = ("--exog", "--peers")


class ListsOfWords(TyperCommand):
    """Takes ``--exog A B`` and ``--exog A,B`` for ``--exog A --exog B``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        option = None
        for word in args:
            if word.startswith("-"):
                option = word if word in LISTS else None
                if option is None:
                    spread.append(word)
            elif option:
                for name in word.split(","):
                    spread += [option, name]
            else:
                spread.append(word)
        return super().parse_args(ctx, spread)


Root = Annotated[Path, typer.Option(help="Folder of dvc.yaml and params.yaml.")]
Data = Annotated[Path, typer.Option("--data", help="CSV, Parquet or NetCDF file.")]
Time = Annotated[str, typer.Option("--time", help="Column of the dates.")]
Target = Annotated[str, typer.Option("--target", help="Column (NetCDF: variable) to forecast.")]
Exog = Annotated[list[str] | None, typer.Option("--exog", help="Further columns known at the same time.")]
Series = Annotated[str | None, typer.Option("--series", help="Column that tells many series apart.")]
Kind = Annotated[str | None, typer.Option("--kind", help="price, level or rate.  [default: inferred]")]
Freq = Annotated[str | None, typer.Option("--freq", help="B, D, W, MS or h.  [default: inferred]")]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Forecast 1 to this many steps ahead.")]
Leads = Annotated[str | None, typer.Option("--leads", help="Steps ahead, e.g. 1,3,6.  [default: 1]")]
TestFrom = Annotated[
    str | None, typer.Option("--test-from", help="First date to score.  [default: the last fifth]")
]
TestTo = Annotated[str | None, typer.Option("--test-to", help="Last date to score.")]
Refit = Annotated[int | None, typer.Option("--refit", help="Rows between refits of the classical models.")]
Peers = Annotated[list[str] | None, typer.Option("--peers", help="auto, or names of peers.")]
Seeds = Annotated[int, typer.Option("--seeds", help="Networks trained as one batch.")]
Dev = Annotated[bool, typer.Option("--dev", help="Test on dates before --test-from, read nothing later.")]
BadRow = Annotated[str, typer.Option("--on-bad-row", help="stop, or drop and say so.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]


def request(
    time: str,
    target: str,
    exog: list[str] | None = None,
    horizon: int | None = None,
    leads: str | None = None,
    test_from: str | None = None,
    test_to: str | None = None,
    peers: list[str] | None = None,
    **others: Any,
) -> "Request":
    """The request that options as they were given make; ``others`` are taken as they are."""
    from tasks.userdata.request import Request

    return Request(
        time=time,
        target=target,
        exog=tuple(exog or ()),
        leads=steps(horizon, leads),
        test_from=day("--test-from", test_from),
        test_to=day("--test-to", test_to),
        peers=None if peers in (None, ["auto"]) else tuple(peers),
        **others,
    )


def steps(horizon: int | None, listed: str | None) -> tuple[int, ...]:
    """The steps ahead: 1 … horizon, or those listed; one step by default."""
    if horizon is not None and listed is not None:
        raise BasinError("give --horizon or --leads, not both")
    if horizon is not None:
        if horizon < 1:
            raise BasinError(f"--horizon {horizon}: expected 1 step or more")
        return tuple(range(1, horizon + 1))
    try:
        return tuple(int(lead) for lead in (listed or "1").split(","))
    except ValueError as error:
        raise BasinError(f"--leads {listed}: expected steps such as 1,3,6") from error


def day(option: str, text: str | None) -> date | None:
    """A date option; raises ``BasinError`` where it is none."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise BasinError(f"{option} {text}: expected a date such as 2014-01-01") from error
