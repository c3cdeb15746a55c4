"""Made-up records without a fault: a market and a sea, rounded as vendors do."""

import numpy as np
import pandas as pd


def garch(seed: int, rows: int = 1500) -> pd.DataFrame:
    """Closes of a GARCH(1, 1) with Student-t shocks on business days, and their volatility a year, in %."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2005-01-03", periods=rows + 40)
    holiday = ((days.month == 12) & (days.day == 25)) | ((days.month == 1) & (days.day == 1))
    variance, moves, variances = 1e-4, [], []
    for _ in range(rows):
        moves.append(np.sqrt(variance) * rng.standard_t(6) * np.sqrt(4 / 6))
        variances.append(variance)
        variance = 2e-6 + 0.08 * moves[-1] ** 2 + 0.90 * variance
    volatility = np.sqrt(252 * np.array(variances)) * 100 * np.exp(0.05 * rng.standard_normal(rows))
    return pd.DataFrame(
        {
            "date": days[~holiday][:rows].strftime("%Y-%m-%d"),
            "close": (100 * np.exp(np.cumsum(moves))).round(2),
            "vol": volatility.round(2),
        }
    )


def seasonal(seed: int, rows: int = 720) -> pd.DataFrame:
    """Months of a temperature: an AR(1) about a seasonal cycle."""
    rng = np.random.default_rng(seed)
    noise, value = rng.standard_normal(rows), np.zeros(rows)
    for t in range(1, rows):
        value[t] = 0.9 * value[t - 1] + 0.3 * noise[t]
    dates = pd.date_range("1950-01-01", periods=rows, freq="MS")
    value += 26 + 2 * np.cos(2 * np.pi * dates.month / 12)
    return pd.DataFrame({"date": dates.strftime("%Y-%m-%d"), "close": value.round(3)})


def panel(seed: int, rows: int = 620, series: int = 4) -> pd.DataFrame:
    """Closes of stocks A, B, ... with a common factor and days on which all move more, in columns."""
    rng = np.random.default_rng(seed)
    stress = np.exp(0.5 * rng.standard_normal((rows, 1)))
    moves = 0.01 * stress * (rng.standard_normal((rows, 1)) + rng.standard_normal((rows, series)))
    days = pd.bdate_range("2015-01-01", periods=rows, name="date")
    names = [chr(ord("A") + i) for i in range(series)]
    return pd.DataFrame(50 * np.exp(np.cumsum(moves, axis=0)).round(5), days, names)
