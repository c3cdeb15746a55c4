"""Unit of returns: per cent, fractions or basis points, and what can be no return."""

import re

import pandas as pd

PERCENT = re.compile(r"(^|[^a-z])(pct|percent|per cent|percentage|prozent)([^a-z]|$)|%", re.IGNORECASE)
"""Names of columns that are in per cent."""

BASIS_POINTS = re.compile(r"(^|[^a-z])(bps?|basis.?points?)([^a-z]|$)", re.IGNORECASE)
"""Names and units of columns that are in basis points."""

ADDITIVE = re.compile(
    r"(^|[^a-z])(pnl|p&l|p.l|profits?|(in|out|net)?.?flows?|(oa|z|cds)?.?spreads?|yields?)([^a-z]|$)",
    re.IGNORECASE,
)
"""Names of quantities that are no returns, such as profits, flows, spreads and changes of yields."""

RETURN = re.compile(r"(^|[^a-z])(ret|rets|returns?|rendite)([^a-z]|$)", re.IGNORECASE)
"""Names of returns."""

FRACTION = 0.2
"""Usual size of returns below which they are fractions."""

LOW = 0.005
"""Share of values below -100 % from which values are no returns; fewer may be errors."""

RARE = 20.0
"""Usual size of returns in per cent from which a warning asks whether they are returns."""


def why_no_returns(value: pd.Series, name: str, unit: str, sign: str) -> str:
    """Return why values of both signs are no returns, or an empty text.

    ``sign`` is the sign of a currency or of per cent beside the numbers.
    """
    if sign not in ("", "%"):
        return f"they are in {sign}"
    if ADDITIVE.search(name) and not RETURN.search(name):
        return f"{name} is no name of returns"
    factor, _ = _unit(value, name, unit, sign == "%")
    if factor * value.min() < -100:
        return f"{value.min():g} is no return in per cent, or name the column ret_bps for basis points"
    return ""


def in_percent(
    table: pd.DataFrame, name: str, unit: str, percent: bool, notes: list[str], warned: list[str]
) -> pd.DataFrame:
    """Return returns in per cent.

    They are fractions if their usual size is below 0.2 and none is below -1, unless the name, the unit or
    the signs, as ``percent`` says, tell that they are in per cent or basis points.
    """
    value = table["close"]
    factor, words = _unit(value, name, unit, percent)
    notes.append(words)
    usual = factor * float(value.abs().quantile(0.9))
    if usual >= RARE:
        warned.append(
            f"impossible: the returns are often beyond ±{usual:.3g} %, a rarity; if they are no returns, "
            "pass --kind rate, and if they are in basis points, name the column ret_bps"
        )
    return table.assign(close=factor * value) if factor != 1 else table


def _unit(value: pd.Series, name: str, unit: str, percent: bool) -> tuple[float, str]:
    """Return the factor from returns to per cent, and a note."""
    if BASIS_POINTS.search(name) or BASIS_POINTS.fullmatch(unit):
        return 0.01, "returns are in basis points and are divided by 100; forecasts are in per cent"
    if percent or unit == "%" or PERCENT.search(name):
        return 1.0, "returns are in per cent"
    if float(value.abs().quantile(0.9)) >= FRACTION or value.min() < -1:
        return 1.0, "returns are in per cent"
    return 100.0, "returns are fractions; forecasts are in per cent"
