"""Times of day of bars within a day: whether they are the same in UTC or in the local time of a zone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

DAY = 86_400
WEEK = 7 * DAY

ZONES = (
    "Europe/Berlin", "America/New_York", "Europe/London", "Europe/Athens", "Asia/Jerusalem",
    "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland",
)  # fmt: skip
"""Zones with summer time, at least one for each rule. Of zones that fit alike, the first is used."""

USUAL = 0.5
"""Least share of days that have a time of day which is usual."""

CLEARER = 3
"""Number of times by which rows at unusual times in UTC exceed those in the zone that explains them."""

CHANGES_A_YEAR = 4
"""Most changes of the offset of one zone in a year. Morocco has four."""


@dataclass(frozen=True)
class Strays:
    """Numbers of rows at times of the week that are not usual while the most frequent offset is in force."""

    changed: int
    """Rows with another offset than the most frequent one."""
    all: int


def session_zone(moments: pd.Series) -> str | None:
    """Return the zone in which days have the same times of day, if in UTC they shift with its summer time."""
    utc = _seconds(moments)
    if around_the_clock(utc):
        return None
    found = []
    for place, zone in enumerate(ZONES):
        local = _local(utc, zone)
        offset = local - utc
        if (offset == offset[0]).all() or (np.diff(local) <= 0).any():
            continue
        before, after = strays(utc, offset), strays(local, offset)
        if before.changed >= max(CLEARER * after.changed, 1):
            weekdays = len(np.unique(local % WEEK // DAY))
            found.append((after.all, weekdays, place))
    return ZONES[min(found)[2]] if found else None


def zone_unknown(moments: pd.Series) -> bool:
    """Return whether moments have pauses within the week, but no summer time of some zone begins or ends."""
    utc = _seconds(moments)
    if not len(utc) or around_the_clock(utc):
        return False
    return any(len(np.unique(_local(utc, zone) - utc)) == 1 for zone in ZONES)


def written_in_local_time(local: pd.Series, moments: pd.Series) -> bool:
    """Return whether times as written, with their offsets, are the local times of a session in one zone.

    They are not if the offsets are those of several zones, if an hour is repeated at the end of summer time,
    or if the times of day are more regular in UTC, as those of a market without pauses.
    """
    known = moments.notna()
    utc, first = np.unique(_numbers(moments[known]), return_index=True)
    written = _numbers(local[known])[first]
    offset = written - utc
    years = (utc[-1] - utc[0]) / (365.25 * DAY)
    if (np.diff(offset) != 0).sum() > CHANGES_A_YEAR * years + 2 or (np.diff(written) <= 0).any():
        return False
    here, there = strays(written, offset), strays(utc, offset)
    if here.changed != there.changed:
        return here.changed < there.changed
    return not around_the_clock(utc)


def strays(times: np.ndarray, offset: np.ndarray) -> Strays:
    """Count the rows at unusual times of the week.

    Parameters
    ----------
    times : ndarray, shape (rows,)
        Times in seconds, in UTC or in the local time of a zone.
    offset : ndarray, shape (rows,)
        Seconds by which the zone is ahead of UTC.
    """
    _, group, sizes = np.unique(offset, return_inverse=True, return_counts=True)
    most = group == sizes.argmax()
    week = (times + 3 * DAY) % WEEK  # 1970 began on a Thursday
    days = np.bincount(np.unique((times[most] + 3 * DAY) // DAY) % 7, minlength=7)
    usual = np.bincount(week[most], minlength=WEEK) >= np.repeat(np.maximum(USUAL * days, 1), DAY)
    stray = ~usual[week] & (days > 0)[week // DAY]
    return Strays(int(stray[~most].sum()), int(stray.sum()))


def around_the_clock(utc: np.ndarray) -> bool:
    """Return whether the week has no pause longer than the usual step or an hour, such as that of crypto.

    If there are rows of some days only, these are judged.
    """
    if len(utc) < 2 or utc[-1] - utc[0] < DAY / 2:
        return False
    steps = np.diff(utc)
    step = float(np.median(steps))
    week = np.unique(utc % WEEK)
    whole = utc[-1] - utc[0] >= WEEK
    pause = np.diff(np.append(week, week[0] + WEEK)).max() if whole else steps.max()
    return bool(step < DAY / 2 and pause <= max(1.5 * step, 3600))


def in_zone(moments: pd.Series, zone: str) -> pd.Series:
    """Return the local times of a zone for times of UTC."""
    return moments.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)


def _local(utc: np.ndarray, zone: str) -> np.ndarray:
    return _numbers(in_zone(pd.Series(utc.astype("datetime64[s]")), zone))


def _seconds(moments: pd.Series) -> np.ndarray:
    return np.unique(_numbers(moments.dropna()))


def _numbers(times: pd.Series) -> np.ndarray:
    numbers: np.ndarray = times.to_numpy().astype("datetime64[s]").astype("int64")
    return numbers
