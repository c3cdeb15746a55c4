"""Reading of listening data from a user's CSV, and of the catalog's Last.fm data and audio features."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.applications.music.cold_start import SOUND
from tasks.runtime.errors import BasinError

FEWEST_LISTENERS = 5
"""Artists of the catalog with fewer listeners are left out, as is usual with these data."""


def read_listens(path: Path) -> pd.DataFrame:
    """Read a CSV ``user,item[,count]`` into columns ``user artist count``; raises ``BasinError``."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BasinError(
            f"{path}: not readable as CSV ({' '.join(str(error).split())[:120]}); save it as UTF-8 CSV"
        ) from error
    if list(table.columns) not in (["user", "item"], ["user", "item", "count"]):
        raise BasinError(f"{path}: expected columns user,item[,count], found {','.join(table.columns)[:80]}")
    if table.empty:
        raise BasinError(f"{path}: no rows; expected one row per user and item")
    blank = np.flatnonzero((table["user"].str.strip() == "") | (table["item"].str.strip() == ""))
    if len(blank):
        raise BasinError(f"{path}: row {blank[0] + 2}: user or item is empty; fill it or remove the row")
    written = table["count"] if "count" in table else pd.Series("1", table.index)
    count = pd.to_numeric(written, errors="coerce")
    wrong = np.flatnonzero(~(np.isfinite(count) & (count > 0)))
    if len(wrong):
        raise BasinError(
            f"{path}: row {wrong[0] + 2}: count {written[wrong[0]]!r}, expected a number above 0; remove "
            "pairs without listening"
        )
    return pd.DataFrame({"user": table["user"], "artist": table["item"], "count": count})


def read_catalog(sources: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the listening data by artist id, and the mean audio features of each artist, joined by name."""
    listens = pd.read_csv(sources["lastfm_listens"], sep="\t")
    listens = listens.set_axis(["user", "artist", "count"], axis=1)
    listeners = listens.groupby("artist")["user"].transform("size")
    listens = listens[listeners >= FEWEST_LISTENERS].reset_index(drop=True)
    names = pd.read_csv(sources["lastfm_artists"], sep="\t", usecols=["id", "name"]).set_index("id")["name"]
    tracks = pd.read_csv(sources["spotify_audio"])
    for share in ("instrumentalness", "acousticness"):  # most of these shares are close to 0
        tracks[share] = np.log10(tracks[share] + 1e-4)
    sound = tracks.groupby(_plain(tracks["artist"]))[list(SOUND)].mean()
    return listens, sound.reindex(_plain(names)).set_axis(names.index)


def _plain(names: pd.Series) -> pd.Series:
    return names.astype(str).str.lower().str.split().str.join(" ")
