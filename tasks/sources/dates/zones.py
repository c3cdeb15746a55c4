"""Dates that have a time zone: local times where the file shows that days are local, otherwise UTC."""

import pandas as pd

from tasks.sources.dates.clock import offset_of, offset_of_name
from tasks.sources.dates.sessions import ZONES, in_zone, session_zone, written_in_local_time, zone_unknown
from tasks.sources.dates.times import Dates, several_a_day

DAY, HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)

CURRENCIES = ("America/New_York", 17)
"""Zone and hour at which the next day of the currency markets begins."""


def with_offsets(local: pd.Series, zone: pd.Series) -> Dates:
    """Return the dates of times as written and of the text of their zones, such as +01:00, Z or EST.

    Names of zones are not used if no cell has an offset, unless all cells have a name and these differ, as
    CET and CEST. Otherwise they stand for their offset, and cells with a name that several zones have are no
    dates.
    """
    offset = offset_of(zone)
    named = offset.isna() & zone.notna()
    by_name = offset_of_name(zone)
    if offset.isna().all() and not (by_name.nunique() > 1 and by_name.notna().equals(local.notna())):
        return Dates(
            local, f"dates name a time zone, such as {zone[named].iloc[0]}: the times are used as written"
        )
    if named.any():
        offset = offset.fillna(by_name)
        local = local.mask(named & offset.isna())
    moments = (local - offset.fillna(pd.Timedelta(0))).astype("datetime64[ns]")
    found = of_zone(local, moments)
    if (zone.isna() & local.notna()).any() and found.time.equals(moments):
        return Dates(found.time, f"{found.note}; times without a zone are read as UTC")
    return found


def of_zone(local: pd.Series, moments: pd.Series) -> Dates:
    """Return local times if there is one local time of day, or if the offsets or the times show a zone.

    Otherwise times are those of UTC. The date of a local midnight in UTC is the day before, east of London.
    """
    local, moments = local.astype("datetime64[ns]"), moments.astype("datetime64[ns]")
    single, offset = local.dropna().dt.time.nunique() <= 1, (local - moments).dropna()
    if single and (offset != pd.Timedelta(0)).any():
        return Dates(local.dt.normalize(), "dates have a time zone: the local dates are used")
    found = local_times(moments) if offset.nunique() <= 1 else local_midnights(moments)
    if found is not None:
        return found
    if single:
        return Dates(moments.dt.normalize(), "dates have a time zone: the dates in UTC are used")
    if (offset != pd.Timedelta(0)).any() and written_in_local_time(local, moments):
        return Dates(local, "dates have a time zone: the local times are used")
    return Dates(moments, f"dates have a time zone: they are converted to UTC{if_zone_unknown(moments)}")


def local_times(moments: pd.Series) -> Dates | None:
    """Return local times of moments in UTC that are midnights or bars within the day of a zone, or None."""
    found = local_midnights(moments)
    if found is not None or not several_a_day(moments):
        return found
    zone = session_zone(moments)
    if zone is None:
        return None
    return Dates(
        in_zone(moments, zone),
        f"times of day in UTC shift with the summer time of {zone}, or of a zone with the same rule: they "
        f"are read as local times of {zone}",
    )


def with_clock_changes(dates: Dates) -> Dates:
    """Return dates in UTC if an hour is repeated and another left out where the clocks of a zone change.

    All changes of the clocks within the rows must fit, and the rows must go on by their usual step in UTC.
    """
    known = dates.time.dropna()
    steps = known.diff().dropna()
    usual = pd.Timedelta(steps.abs().median())
    if not usual <= HOUR or (steps == usual).all():
        return dates
    ordered = known if pd.Timedelta(steps.median()) > pd.Timedelta(0) else known[::-1]
    summer = (~ordered.duplicated()).to_numpy()  # of two equal times, the first is in summer time
    for zone in ZONES:
        local = ordered.dt.tz_localize(zone, ambiguous=summer, nonexistent="NaT")
        moments = local.dt.tz_convert("UTC").dt.tz_localize(None)
        changes = (ordered - moments).diff().fillna(pd.Timedelta(0)) != pd.Timedelta(0)
        if changes.any() and (moments.diff()[changes] == usual).all() and moments.notna().all():
            note = (
                f"hours are repeated or left out where the clocks of {zone}, or of a zone with the same "
                "rule, change: times are read as local times there and converted to UTC"
            )
            return Dates(moments.reindex(dates.time.index), "; ".join(filter(None, (dates.note, note))))
    return dates


def if_zone_unknown(moments: pd.Series) -> str:
    """Return the end of a note on times in UTC whose zone later rows may show, or nothing."""
    if not several_a_day(moments) or not zone_unknown(moments):
        return ""
    return "; if later rows shift with the summer time of a zone, all are read as its local times"


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
    working = _working(after)
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


def _midnights(times: pd.Series) -> bool:
    return bool((times == times.dt.normalize()).all())


def _working(days: pd.Series) -> bool:
    return bool((days.dt.dayofweek < 5).all() and days.dt.dayofweek.nunique() > 3)


def if_utc(time: pd.Series) -> str | None:
    """Return a note on times without a zone that, the day after, are those of Monday to Friday, or None."""
    times = time.dropna().drop_duplicates()
    if len(times) < 5 or (times.dt.hour < 10).any() or times.dt.time.nunique() > 2:
        return None
    if not _working(times.dt.normalize() + DAY):
        return None
    return (
        f"times such as {times.iloc[0]:%H:%M} are those of Sunday to Thursday: if they are midnights of a "
        "zone in UTC, write Z behind them for the local dates, Monday to Friday"
    )


def _of_summer_time(moments: pd.Series, times: pd.Series) -> Dates | None:
    in_zones = {zone: in_zone(times, zone) for zone in ZONES}
    # A zone of which all are midnights comes first.
    for zone, local in sorted(in_zones.items(), key=lambda item: not _midnights(item[1])):
        weekend = (times.dt.dayofweek < 5).all() and (local.dt.dayofweek > 4).any()
        if _midnights(local) and not weekend:
            return Dates(
                in_zone(moments, zone).dt.normalize(),
                f"times in UTC are midnights of {zone}: the local dates are used",
            )
        days, hour = local.dt.normalize(), local.dt.hour.iloc[0]
        if local.dt.time.nunique() > 1 or _working(times):
            continue
        begins = zone == CURRENCIES[0] and hour >= CURRENCIES[1]
        later = DAY if begins else pd.Timedelta(0)
        if _working(days + later):
            found = in_zone(moments, zone).dt.normalize() + later
            whose = "the day of trade that begins there" if begins else "its days"
            return Dates(
                found,
                f"times in UTC are {local.iloc[0]:%H:%M} of {zone}: the dates of {whose}, Monday to Friday, "
                "are used",
            )
    return None
