"""Options of backtest, forecast and alarm. Unset options are inferred from the data and reported."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from tasks.runtime.errors import BasinError

KINDS = ("price", "level", "rate")
FREQUENCIES = ("B", "D", "W", "MS", "h")


@dataclass(frozen=True)
class Request:
    """Options of ``basin backtest | forecast | alarm``. An option that is None is inferred."""

    time: str
    target: str
    exog: tuple[str, ...] = ()
    series: str | None = None
    kind: Literal["price", "level", "rate"] | None = None
    freq: str | None = None
    leads: tuple[int, ...] = (1,)
    test_from: date | None = None
    test_to: date | None = None
    refit: int | None = None
    peers: tuple[str, ...] | None = None
    seeds: int = 5
    dev: bool = False
    on_bad_row: Literal["stop", "drop"] = "stop"

    def __post_init__(self) -> None:
        """Raise ``BasinError`` for options that are wrong for any file."""
        if self.kind is not None and self.kind not in KINDS:
            raise BasinError(f"--kind {self.kind}: expected one of {', '.join(KINDS)}")
        if self.freq is not None and self.freq not in FREQUENCIES:
            raise BasinError(f"--freq {self.freq}: expected one of {', '.join(FREQUENCIES)}")
        if self.on_bad_row not in ("stop", "drop"):
            raise BasinError(f"--on-bad-row {self.on_bad_row}: expected stop or drop")
        if not self.leads or min(self.leads) < 1 or len(set(self.leads)) < len(self.leads):
            raise BasinError(
                f"--leads {','.join(map(str, self.leads))}: expected different numbers of steps, each 1 or "
                "more"
            )
        if self.seeds < 1:
            raise BasinError(f"--seeds {self.seeds}: expected 1 or more")
        if self.refit is not None and self.refit < 1:
            raise BasinError(f"--refit {self.refit}: expected 1 row or more")
        if self.test_from and self.test_to and self.test_to < self.test_from:
            raise BasinError(
                f"--test-to {self.test_to}: expected a date on or after --test-from {self.test_from}"
            )
        if self.dev and self.test_from is None:
            raise BasinError(
                "--dev must not read the test block and needs to know its first date; give --test-from"
            )
        named = [self.time, self.target, *self.exog, *([self.series] if self.series else [])]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise BasinError(
                f"column {twice[0]} is named twice; expected different columns in --time, --target, --exog "
                "and --series"
            )
