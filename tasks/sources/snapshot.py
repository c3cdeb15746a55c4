"""Snapshots of data: the raw table of a domain with the values that were published by a date."""

import os
from datetime import date
from typing import Any

import pandas as pd

from tasks.domains import get_domain
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.workspace import Workspace
from tasks.sources.catalog import load_catalog, read_source
from tasks.sources.entries import DatasetSource, Entry


def published(time: pd.Series, entry: Entry) -> pd.Series:
    """Return the date on which each value was published, the end of its period plus the publication lag."""
    end = time + pd.offsets.MonthEnd(0) if entry.frequency == "MS" else time
    return end + pd.Timedelta(days=entry.publication_lag)


def snapshot(
    workspace: Workspace, as_of: date, progress: Progress = silent
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the raw table of a domain as it was known at the end of the day ``as_of``, and its sources.

    ``BASIN_DATA_MIRROR`` is a folder, absolute or relative to the project root, that is searched first. Rows
    published after ``as_of`` are dropped. Order, duplicates and missing values are kept, because the stage
    validate checks them. Raises ``BasinError`` if a source cannot be read or had no published row on that
    date.
    """
    domain = get_domain(workspace)
    catalog = load_catalog(workspace.catalog)
    folder = os.environ.get("BASIN_DATA_MIRROR")
    mirror = workspace.root / folder if folder else None
    tables, sources = {}, []
    for done, name in enumerate(domain.sources):
        progress("sources", done, len(domain.sources))
        if name not in catalog:
            raise BasinError(
                f"{workspace.catalog}: no source `{name}`, which domain {domain.name} needs; found "
                f"{', '.join(catalog)}; add an entry for it"
            )
        entry = catalog[name]
        if isinstance(entry, DatasetSource):
            raise BasinError(
                f"{workspace.catalog}: `{name}` is a data set of an application, expected a time series; use "
                "another source"
            )
        source = read_source(name, entry, workspace.root, mirror, progress)
        tables[name] = known_on(source.table, entry, as_of, source.label)
        sources.append(
            {
                "name": name,
                "kind": entry.kind,
                "origin": entry.origin,
                "sha256": source.sha256,
                "rows": len(tables[name]),
                "licence": entry.licence,
                "unit": entry.unit,
                "frequency": entry.frequency,
                "publication_lag": entry.publication_lag,
            }
        )
    progress("sources", len(domain.sources), len(domain.sources))
    return domain.parse(tables)[["time", "series", *domain.columns]].reset_index(drop=True), sources


def known_on(table: pd.DataFrame, entry: Entry, as_of: date, label: str) -> pd.DataFrame:
    """Return the rows of ``table`` that were published by the end of the day ``as_of``."""
    known = table[published(table["time"], entry) < pd.Timestamp(as_of) + pd.Timedelta(days=1)]
    if known.empty:
        first = f"{published(table['time'], entry).min():%Y-%m-%d}" if len(table) else "none, it has no rows"
        raise BasinError(
            f"{label}: no row was published by ingest.as_of {as_of} (first publication: {first}); set a "
            "later as_of in params.yaml or give a file with earlier rows"
        )
    return known.reset_index(drop=True)
