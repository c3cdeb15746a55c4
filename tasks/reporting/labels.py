"""Names of models and series in reports, and the format of numbers, dates and steps."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pandas as pd

from tasks.runtime.frequencies import frequency, stamp

Item = TypeVar("Item")

MODELS = {
    "ebm": ("Energy model", "the model of this page: its base, tilted by a learned energy"),
    "base": ("Its own base", "the classical forecast with the same inputs, before the energy tilts it"),
    "scale-regression": (
        "Scale regression",
        "log volatility regressed on EGARCH, GJR, realised volatility and the daily range; skewed t errors",
    ),
    "historical-simulation": ("Historical simulation", "the last 1000 outcomes, each equally likely"),
    "gjr-filtered-simulation": (
        "GJR filtered simulation",
        "volatility from GJR, past standardised errors redrawn without a parametric distribution",
    ),
    "garch-t": ("GARCH-t", "volatility clusters; Student-t errors"),
    "gjr-skewt": ("GJR-skew-t", "falls raise volatility more than rises; skewed t errors"),
    "egarch-skewt": (
        "EGARCH-skew-t",
        "falls raise log volatility more than rises; skewed t errors",
    ),
    "mdn": (
        "Mixture density network",
        "a neural network that gives a mixture of four normals, with the same inputs and training",
    ),
    "dcc-t": ("DCC t copula", "correlations by DCC(1,1), with a t copula; the same marginals"),
    "dcc-gaussian": ("DCC Gaussian copula", "correlations by DCC(1,1), with a Gaussian copula"),
    "ewma-gaussian": ("EWMA Gaussian copula", "exponentially weighted correlations, as RiskMetrics"),
    "t-copula": ("Constant t copula", "a correlation that does not move"),
    "joint-filtered-simulation": (
        "Joint filtered simulation",
        "past standardised residuals of all series at a common date, at the scales of the day",
    ),
    "gjr-on-portfolio": ("GJR on the portfolio", "GJR-skew-t of the portfolio's own returns"),
    "egarch-on-portfolio": ("EGARCH on the portfolio", "EGARCH-skew-t of the portfolio's own returns"),
    "climatology": ("Climatology", "the usual value at that time of year"),
    "persistence": ("Persistence", "the last anomaly stays"),
    "damped-persistence": (
        "Damped persistence",
        "the last anomaly decays at a rate that depends on the season",
    ),
    "seasonal-ridge": ("Seasonal ridge", "ridge regression on recent anomalies, fitted for each season"),
    "lim": (
        "Linear inverse model",
        "all series follow one linear system with noise, fitted for each season",
    ),
    "xro": ("XRO", "a seasonal recharge oscillator coupled to the other series"),
    "random-walk": ("Random walk", "independent normal moves with the covariance of past moves"),
    "random-walk-bootstrap": (
        "Random-walk bootstrap",
        "past joint moves in random order, each also with its sign reversed",
    ),
    "auto-theta": ("AutoTheta", "theta method fitted to each series, by statsforecast"),
    "auto-ets": ("AutoETS", "exponential smoothing chosen for each series, by statsforecast"),
    "logit": ("Logistic regression", "logistic regression on the inputs of the energy"),
    "als": ("ALS", "matrix factors fitted by alternating least squares"),
    "boosting": ("Gradient boosting", "default settings"),
    "boosting-tuned": ("Tuned gradient boosting", "settings chosen by cross-validation"),
    "cnn": ("Convolutional network", ""),
    "cnn-specaugment": ("Convolutional network with SpecAugment", ""),
    "ease": ("EASE", "linear model of items, by Steck (2019)"),
    "ebm-without-tempo": ("Energy model without tempo", ""),
    "item-knn": ("Nearest items", ""),
    "knn": ("Nearest neighbours", ""),
    "knn5": ("Fifth nearest neighbour", "distance to it"),
    "one-class-svm": ("One-class SVM", ""),
    "pca": ("Principal components", ""),
    "svm": ("Support vector machine", ""),
    "user-knn": ("Nearest users", ""),
}
"""Name and one-line description of each model."""

INPUTS = {
    "z": "last move, standardised",
    "z_5": "5-row move, standardised",
    "z_22": "22-row move, standardised",
    "z_previous": "move before the last, standardised",
    "log_egarch": "log volatility by EGARCH",
    "log_scale": "log scale of the base",
    "loc": "location of the base",
    "anomaly": "anomaly at the origin",
    "change": "change of the anomaly",
    "change_3": "3-month change of the anomaly",
    "change_12": "12-month change of the anomaly",
    "mean_12": "12-month mean of the anomaly",
    "cos": "season, cosine",
    "sin": "season, sine",
    "lead": "lead",
    "disagreement": "disagreement within the base",
}
"""Name of each input of an energy that is not a column of the data."""

VOLATILITIES = {"rms": "volatility", "gk": "Garman-Klass volatility", "pk": "Parkinson volatility"}


def input_name(column: str) -> str:
    """Return the name of an input, whose column is ``x_`` and an internal name or a column of the data.

    Examples
    --------
    >>> input_name("x_rms66_to_egarch"), input_name("x_vix_5"), input_name("x_vix")
    ('66-row volatility to EGARCH', '5-row change of vix', 'vix')
    """
    name = column.removeprefix("x_")
    if name in INPUTS:
        return INPUTS[name]
    if measure := re.fullmatch(r"(rms|gk|pk)(\d+)_to_egarch", name):
        return f"{measure[2]}-row {VOLATILITIES[measure[1]]} to EGARCH"
    return f"5-row change of {name.removesuffix('_5')}" if name.endswith("_5") else name


def model_name(model: str) -> str:
    if model in MODELS:
        return MODELS[model][0]
    words = re.sub(r"[-_]+", " ", model)
    return words[:1].upper() + words[1:]


def labelled(words: str) -> str:
    """Return a text, such as the finding of a check, with names in place of columns and hyphenated models.

    Examples
    --------
    >>> labelled("worse than seasonal-ridge; x_log_scale at 2011-01-01")
    'worse than seasonal ridge; log scale of the base at 2011-01-01'
    """
    words = re.sub(r"\bx_\w+", lambda column: input_name(column[0]), words)
    hyphened = "|".join(sorted((m for m in MODELS if "-" in m), key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{hyphened})(?![\w-])", lambda model: in_sentence(model[0]), words)


def in_sentence(model: str) -> str:
    """Return the name for use in a sentence, in lower case unless it has inner capitals, as AutoTheta has."""
    name = model_name(model)
    return name if any(c.isupper() for c in name[1:]) else name[0].lower() + name[1:]


def with_article(model: str) -> str:
    """Return the name for use in a sentence, with an article where it needs one.

    Examples
    --------
    >>> with_article("mdn"), with_article("gjr-skewt")
    ('the mixture density network', 'GJR-skew-t')
    """
    name = in_sentence(model)
    return f"the {name}" if name.split()[-1] in ("model", "network", "walk") else name


def model_note(model: str) -> str:
    return MODELS.get(model, ("", ""))[1]


ANOMALIES = "values are anomalies: their normal is 0"
"""What is said of a series that varies around 0."""

SERIES = {"sp500": "S&P 500", "nasdaq": "NASDAQ", "nino": "Niño 1+2 index"}


def series_name(series: str) -> str:
    return SERIES.get(series, series.strip() or "(no name)")


def periods(step: str, count: int) -> str:
    """Return ``count`` steps of a frequency in words, such as ``1 trading day`` or ``6 months``."""
    return count_of(count, frequency(step).period)


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 window`` or ``1,000 windows``."""
    return f"{count:,} {noun}{plural(count)}"


def plural(count: int) -> str:
    return "" if count == 1 else "s"


def listed(items: Iterable[object], word: str = "and") -> str:
    """Return items as an enumeration, such as ``1 and 3`` or ``1, 3 and 6``."""
    *first, last = map(str, items)
    return f"{', '.join(first)} {word} {last}" if first else last


def spaced(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most ``most`` of the items, evenly spaced, including the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def dated(time: str, step: str) -> str:
    """Return a date in the form of its frequency, such as ``2019-01-02`` or, for months, ``January 2011``.

    A date that is written without an hour, such as that of a test block, has none.
    """
    day = pd.Timestamp(time)
    name = frequency(step).period
    if name == "month":
        return f"{day:%B %Y}"
    if name == "quarter":
        return f"quarter from {day:%B %Y}" if step == "QS" else f"quarter to {day:%B %Y}"
    return f"{day:%Y}" if name == "year" else stamp(day, step if ":" in time else "D")


def span(first: str, last: str, step: str = "D") -> str:
    """Return a period in words: its years if they are whole, such as ``1991-2020``, or else its dates.

    The dates have the form of the frequency ``step``.
    """
    (year, month), (end_year, end_month) = (date[:7].split("-") for date in (first, last))
    if (month, end_month) == ("01", "12") and end_year > year:
        return f"{year}-{end_year}"
    return f"{dated(first, step)} to {dated(last, step)}"


def text(value: float | None, digits: int = 2) -> str:
    """Return a number as text, with a typographic minus sign and no negative zero.

    None, NaN and infinity give a dash.
    """
    if value is None or not math.isfinite(value):
        return "–"
    shown = f"{value:,.{digits}f}"
    return shown.replace("-", "−") if float(shown.replace(",", "")) else shown.replace("-", "")


def decimals(values: Iterable[float], figures: int = 3) -> int:
    """Return the decimals with which the smallest of ``values`` has a number of significant figures.

    Zeros do not count, and there are at most eight decimals.

    Examples
    --------
    >>> decimals([0.4896, 12.5]), decimals([1234.0]), decimals([0.0])
    (3, 0, 2)
    """
    sizes = [abs(v) for v in values if v and math.isfinite(v)]
    if not sizes:
        return figures - 1
    return min(8, max(0, figures - 1 - math.floor(math.log10(min(sizes)))))


CHANGE = "change of the rate"
"""What forecasts of a rate are of. Its unit is not known."""


def with_unit(number: str, unit: str) -> str:
    """Return a number with its unit, or alone if the unit is not known.

    Examples
    --------
    >>> with_unit("1.5", "%"), with_unit("1.5", ""), with_unit("1.5", CHANGE)
    ('1.5 %', '1.5', '1.5 (change of the rate)')
    """
    if unit == CHANGE:
        return f"{number} ({unit})"
    return f"{number} {unit}" if unit else number


def named_unit(unit: str) -> str:
    """Return the unit for use behind ``in``, such as ``%``, with words for one that is not known."""
    return "the unit of the rate" if unit == CHANGE else unit or "the unit of the values"


def places(step: dict[str, Any]) -> int:
    """Return the decimals of the numbers of a forecast: two, or more if its 90 % interval is narrow."""
    low, high = step["interval_90"]
    return max(2, decimals([high - low]))


def forecast_mean(step: dict[str, Any], unit: str, of: str) -> str:
    """Return the mean of a step of `forecast.json`, for a level with its anomaly and base period.

    The dates have the form of the frequency ``of``.
    """
    shown = with_unit(text(step["mean"], places(step)), unit)
    if "anomaly" not in step:
        return shown
    anomaly = signed(step["anomaly"]["mean"], places(step))
    return f"{shown} ({from_normal(step, with_unit(anomaly, unit), of)})"


def from_normal(step: dict[str, Any], anomaly: str, of: str = "D") -> str:
    """Return an anomaly with the rows of which its normal is the mean, or that the values are anomalies."""
    if step["normal"] == 0:
        return ANOMALIES
    first, last = step["base_period"]
    return f"{anomaly} from the mean of {span(first, last, step=of)}"


def signed(value: float | None, digits: int = 3) -> str:
    return ("+" if 0 < (value or 0) < math.inf else "") + text(value, digits)


def scientific(value: float) -> str:
    """Return a number as text, such as ``1.2 × 10⁻⁷`` for small numbers and plain decimals for others."""
    if value == 0 or abs(value) >= 1e-3:
        return text(value, 4)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
