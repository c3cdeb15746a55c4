"""Dates that have a time zone: local dates where the file shows that days are local, otherwise UTC."""

import pandas as pd

from tasks.sources.dates.times import Dates

DAY = pd.Timedelta(days=1)

ZONES = (
    "Europe/London", "Europe/Berlin", "Europe/Athens", "Asia/Jerusalem",
    "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland",
)  # fmt: skip
"""Zones with summer time whose midnights are on the day before in UTC, one for each rule."""


def with_offsets(local: pd.Series, offset: pd.Series) -> Dates:
    """Return the dates of times as written and of how far their zone is ahead of UTC, if it is given."""
    if offset.isna().all():
        return Dates(local)
    return of_zone(local, local - offset.fillna(pd.Timedelta(0)))


def of_zone(local: pd.Series, moments: pd.Series) -> Dates:
    """Return local dates if there is one local time of day, or if all times are midnights of a zone.

    Otherwise times are those of UTC. The date of a local midnight in UTC is the day before, east of London.
    """
    local, moments = local.astype("datetime64[ns]"), moments.astype("datetime64[ns]")
    single = local.dropna().dt.time.nunique() <= 1
    if single and not local.equals(moments):
        return Dates(local.dt.normalize(), "dates have a time zone: the local dates are used")
    ahead = local_midnights(moments)
    if ahead is not None:
        return ahead
    if single:
        return Dates(moments.dt.normalize(), "dates have a time zone: the dates in UTC are used")
    return Dates(moments, "dates have a time zone: they are converted to UTC")


def local_midnights(moments: pd.Series) -> Dates | None:
    """Return local dates of moments in UTC that are midnights of a zone east of London, or None."""
    times = moments.dropna().drop_duplicates().sort_values()
    clock = (times - times.dt.normalize()).drop_duplicates()
    if len(clock) > 2 or len(times) < 3 or (clock == pd.Timedelta(0)).all():
        return None
    if times.diff().min() < pd.Timedelta(hours=22):
        return None
    if len(clock) == 2:
        return _of_summer_time(moments, times)
    time, after = clock.iloc[0], times.dt.normalize() + DAY
    if time < pd.Timedelta(hours=10) or time % pd.Timedelta(minutes=30) != pd.Timedelta(0):
        return None
    working = (after.dt.dayofweek < 5).all() and after.dt.dayofweek.nunique() > 3
    first = (after.dt.day == 1).all() and time != pd.Timedelta(hours=12)
    if not (working or first):
        return None
    why = "Monday to Friday" if working else "the first of each month"
    hour = f"{(pd.Timestamp(0) + time):%H:%M}"
    return Dates(
        moments.dt.normalize() + DAY,
        f"times of {hour} UTC are read as midnights of a zone east of London: the local dates, {why}, are "
        "used",
    )


def _of_summer_time(moments: pd.Series, times: pd.Series) -> Dates | None:
    for zone in ZONES:
        local = times.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
        weekend = (times.dt.dayofweek < 5).all() and (local.dt.dayofweek > 4).any()
        if (local == local.dt.normalize()).all() and not weekend:
            dates = moments.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
            return Dates(
                dates.dt.normalize(), f"times in UTC are midnights of {zone}: the local dates are used"
            )
    return None
