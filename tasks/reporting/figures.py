"""Figures of results, drawn by matplotlib, with the same bytes for the same numbers."""

from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.reporting.labels import dated, series_name
from tasks.reporting.maps import DOTS_PER_INCH, drawing, without_formulas
from tasks.runtime.frequencies import stamp

WIDE, NARROW = "90 % interval", "50 % interval"
DARK, MIDDLE, LIGHT = "#1d4ed8", "#93b4f5", "#d6e2fb"
GREY = "0.55"

SERIES_SHOWN = 6
"""Most series in the picture of a forecast."""

DATES_SHOWN = 250
"""Number of latest dates in the picture of a backtest."""

FEW = 40
"""Number of dates up to which intervals are drawn as bars, so that a single date is visible too."""


FEW_TICKS = 8
"""Number of dates up to which each has a tick in the picture of a forecast."""


class Picture(Figure):
    """Figure without a window that notebooks show as an image.

    Jupyter shows a plain :class:`matplotlib.figure.Figure` only after ``matplotlib.pyplot`` was imported.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained", facecolor="white")
        FigureCanvasAgg(self)

    def draw(self, renderer: Any) -> None:
        without_formulas(self)
        super().draw(renderer)

    def png(self) -> bytes:
        """Return the picture as PNG."""
        stream = BytesIO()
        with drawing:
            self.savefig(stream, format="png", dpi=DOTS_PER_INCH)
        return stream.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()


def forecast_picture(forecast: dict[str, Any]) -> Picture:
    """Draw the content of `forecast.json`: the latest values, and the intervals forecast after them.

    The density is drawn beside them if there is one step. At most ``SERIES_SHOWN`` series are shown.
    """
    parts = list(forecast["series"].items())
    shown = parts[:SERIES_SHOWN]
    single = all(len(part["steps"]) == 1 for _, part in shown)
    picture = Picture(10 if single else 8.5, 0.8 + 2.8 * len(shown))
    rows = picture.subplots(len(shown), 2 if single else 1, squeeze=False)
    for axes, (name, part) in zip(rows, shown, strict=True):
        _values(axes[0], part, forecast)
        axes[0].set_title(series_name(name), fontsize="medium", loc="left")
        if single:
            _density(axes[1], part["steps"][0], forecast)
    picture.legend(
        *rows[0, 0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=4,
        frameon=False,
        fontsize="small",
    )
    if len(parts) > len(shown):
        picture.supxlabel(f"{len(parts) - len(shown)} more series", fontsize="small", color=GREY)
    return picture


def _values(axes: Any, part: dict[str, Any], forecast: dict[str, Any]) -> None:
    """Draw the history of a series, if it is known, and the intervals of its steps."""
    steps, kind = part["steps"], forecast.get("kind")
    of = [step.get("value", step)["quantiles"] for step in steps]
    history = part.get("history", {"time": [], "value": []})
    if kind == "return" and steps[-1]["lead"] > 1:  # these forecasts are of sums of returns
        history = {"time": [part["origin"]], "value": [0.0]}
    past, ahead = pd.DatetimeIndex(history["time"]), pd.DatetimeIndex([step["time"] for step in steps])
    low, below, middle, above, high = (
        np.array([quantiles[level] for quantiles in of]) for level in ("0.05", "0.25", "0.50", "0.75", "0.95")
    )
    if len(past) > 1:
        axes.plot(past, history["value"], color="black", linewidth=1, label="past values")
    if len(steps) == 1:
        axes.vlines(ahead, low, high, color=LIGHT, linewidth=7, label=WIDE)
        axes.vlines(ahead, below, above, color=MIDDLE, linewidth=7, label=NARROW)
        axes.plot(ahead, middle, "_", color=DARK, markersize=9, label="median")
    else:
        times, last = past[-1:].append(ahead), np.array(history["value"][-1:])
        for bottom, top, colour, label in ((low, high, LIGHT, WIDE), (below, above, MIDDLE, NARROW)):
            axes.fill_between(times, np.r_[last, bottom], np.r_[last, top], color=colour, label=label, lw=0)
        axes.plot(times, np.r_[last, middle], color=DARK, linewidth=1.2, label="median")
    if len(past) + len(steps) <= FEW_TICKS:  # the ticks of a few days would be hours apart
        shown = past.append(ahead)
        axes.set_xticks(shown, [stamp(time) for time in shown], rotation=20)
    else:
        few_dates(axes)
    axes.set_ylabel(kind if kind in ("price", "rate") else forecast["unit"] or "value")
    _plain(axes)


def few_dates(axes: Any) -> None:
    """Let the axis of dates have few labels, which do not touch and do not repeat the year."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _density(axes: Any, step: dict[str, Any], forecast: dict[str, Any]) -> None:
    """Draw the density of a step, with the same intervals as in the history beside it."""
    y, p = (np.array(step["density"][name]) for name in ("y", "p"))
    for bottom, top, colour in (("0.05", "0.95", LIGHT), ("0.25", "0.75", MIDDLE)):
        inside = (y >= step["quantiles"][bottom]) & (y <= step["quantiles"][top])
        axes.fill_between(y, 0, p, where=inside, color=colour, lw=0)
    axes.plot(y, p, color=DARK, linewidth=1.2)
    axes.axvline(step["mean"], color=GREY, linewidth=0.8, linestyle="--")
    axes.set_ylim(bottom=0)
    title = f"{dated(step['time'], forecast.get('frequency', 'D'))}: mean {step['mean']:.3g} (dashed)"
    if "mass_at_lowest" in step:
        title += f", P(lowest value) = {step['mass_at_lowest']:.0%}"
    axes.set_title(title, fontsize="medium", loc="left")
    axes.set_xlabel(forecast["unit"] or "value")
    axes.set_ylabel("density")
    _plain(axes)


def backtest_picture(forecasts: pd.DataFrame, unit: str, reference: str) -> Picture:
    """Draw the latest outcomes with the intervals forecast for them, and the gain in log score over time.

    ``forecasts`` is the table of ``forecasts.parquet``. The gain is that of the energy model over the
    ``reference`` and over its base, in nats, averaged over series and leads and summed over time.
    """
    picture = Picture(10, 6)
    above, below = picture.subplots(2, 1)
    ours = forecasts[forecasts["model"] == "ebm"].sort_values(["series", "lead", "time"])
    first = ours[(ours["series"] == ours["series"].iloc[0]) & (ours["lead"] == ours["lead"].min())]
    latest = first.tail(DATES_SHOWN)
    few = len(latest) <= FEW
    for bottom, top, colour, label in (("q0.05", "q0.95", LIGHT, WIDE), ("q0.25", "q0.75", MIDDLE, NARROW)):
        if few:
            above.vlines(latest["time"], latest[bottom], latest[top], color=colour, linewidth=6, label=label)
        else:
            above.fill_between(latest["time"], latest[bottom], latest[top], color=colour, label=label, lw=0)
    above.plot(latest["time"], latest["observed"], ".", color="black", markersize=3, label="outcome")
    above.set_ylabel(unit)
    leads, series = ours["lead"].nunique(), ours["series"].nunique()
    lead = f", lead {first['lead'].iloc[0]}" if leads > 1 else ""
    part = f", latest {len(latest)} of {len(first)} dates" if len(latest) < len(first) else ""
    name = series_name(first["series"].iloc[0])
    above.set_title(f"{name}{lead}: outcomes and the intervals forecast for them{part}")
    tilted = False
    for peer in dict.fromkeys((reference, "base")):
        theirs = forecasts[forecasts["model"] == peer]
        both = ours.merge(theirs, on=["series", "lead", "time"], suffixes=("", "_peer"))
        gain = (both["log_density"] - both["log_density_peer"]).groupby(both["time"]).mean().cumsum()
        below.plot(gain.index, gain, ".-" if few else "-", label=f"over {peer}")
        tilted |= peer == "base" and bool(gain.abs().max() > 1e-9)
    below.axhline(0, color="0.6", linewidth=0.8)
    below.set_ylabel("cumulative gain, nats")
    below.set_title(
        "Gain in log score of the energy model"
        + (f", mean over {series} series" if series > 1 else "")
        + (f", mean over {leads} leads" if leads > 1 else "")
        + (", all dates" if part else "")
        + ("" if tilted else ", which is its base, as the energy has no weight")
    )
    for axes in (above, below):
        if ours["time"].nunique() == 1:  # the ticks of a single date would be years apart
            axes.set_xticks(latest["time"], [stamp(time) for time in latest["time"]])
        axes.legend(frameon=False, loc="best")
        _plain(axes)
    return picture


def alarm_picture(history: pd.DataFrame, event: str, kinds: np.ndarray) -> Picture:
    """Draw probability and threshold by date, with alarms as red dots and dates before an event shaded.

    Dots of false alarms are hollow. Dates on which it is not yet known whether the event follows are hatched.
    ``history`` is the table of ``alarm.parquet``, and ``kinds`` are ``alarm``, ``false-alarm`` or ``pending``
    at each date.
    """
    picture = Picture(11, 4)
    axes = picture.subplots()
    top = max(0.05, float(history["probability"].max()) * 1.05)
    time, unknown = history["time"], history["label"].isna()
    label = history["label"].fillna(False).to_numpy(bool)
    axes.fill_between(time, 0, top, where=label, color="0.85", label="followed by the event")
    axes.fill_between(
        time, 0, top, where=unknown, facecolor="none", edgecolor="0.7", hatch="///", label="not yet known"
    )
    axes.plot(history["time"], history["probability"], color="black", linewidth=0.8, label="probability")
    axes.plot(history["time"], history["threshold"], color="C0", linewidth=0.8, label="threshold")
    for kind, name, colour, inside in (
        ("alarm", "alarm", "C3", "C3"),
        ("false-alarm", "false alarm", "C3", "white"),
        ("pending", "alarm, not yet known", GREY, GREY),
    ):
        days = history[history["alarm"].to_numpy(bool) & (kinds == kind)]
        if len(days):
            axes.plot(
                days["time"], days["probability"], "o", color=colour, markerfacecolor=inside, markersize=3.5,
                markeredgewidth=0.8, label=name,
            )  # fmt: skip
    axes.set_ylim(0, top)
    axes.set_ylabel(f"probability of {event}")
    picture.legend(loc="outside upper right", ncols=7, frameon=False, fontsize="small")
    _plain(axes)
    return picture


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
