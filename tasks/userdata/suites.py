"""``basin validate``: proposes an expectation suite from a user's file, and checks a file against one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.checks.suites import examined, failure_line, read_suite
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, write_json
from tasks.sources.quarantine import at_fault, free_name
from tasks.userdata.files.columns import no_column
from tasks.userdata.files.table import Table

RESULTS = ("validation.json", "quarantine.parquet", "data_docs")
"""Results of :func:`check`."""

MARGIN = 0.5
"""Share of the range of values by which the proposed limits lie beyond it."""


def propose(frame: pd.DataFrame, name: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Propose an expectation suite for files like ``frame``, with typed columns, to be edited by hand.

    It expects the same columns and at least nine tenths of the rows. The share of missing values in a column
    may double, but must stay 0 if it is 0. Numbers may lie beyond their range by half of its width, but
    positive columns must stay positive. A column with few different texts may have no other texts. The
    columns ``keys`` together identify a row.
    """
    absent = [key for key in keys if key not in frame]
    if absent:
        raise BasinError(no_column(absent, frame))
    if frame.empty:
        raise BasinError("no rows below the header; give a file with data")
    wanted = [_expect("table_columns_to_match_set", "the same columns",
                      column_set=[str(c) for c in frame.columns], exact_match=False)]  # fmt: skip
    for column in map(str, frame.columns):
        wanted += _of_column(column, frame[column])
    if len(keys) == 1:
        wanted.append(_expect("column_values_to_be_unique", "one row for each key", column=keys[0]))
    elif keys:
        why = "one row for each key"
        wanted.append(_expect("compound_columns_to_be_unique", why, column_list=list(keys)))
    rows = int(0.9 * len(frame))
    why = f"at least 90 % of the {len(frame):,} rows of the first file"
    wanted.append(_expect("table_row_count_to_be_between", why, min_value=rows))
    return {"suite": name, "quarantine": 0, "expectations": wanted}


def write_proposal(frame: pd.DataFrame, name: str, keys: tuple[str, ...], target: Path) -> dict[str, Any]:
    """Write the suite of :func:`propose` to the file ``target``, and return it."""
    suite = propose(frame, name, keys)
    with atomic_write(target) as (path,):
        write_json(path, suite)
    return suite


def _of_column(column: str, values: pd.Series) -> list[dict[str, Any]]:
    missing = float(values.isna().mean())
    if missing == 1:
        return []
    least = {} if missing == 0 else {"mostly": round(max(1 - 2 * missing, 0.0), 4)}
    what = "values" if pd.api.types.is_string_dtype(values) else "numbers or dates"
    why = f"{what}, of which {missing:.1%} were missing in the first file"
    found = [_expect("column_values_to_not_be_null", why, column=column, **least)]
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        words = sorted(values.dropna().astype(str).unique())
        dates = pd.api.types.is_datetime64_any_dtype(values)
        if not dates and len(words) <= max(2, min(50, len(values) // 20)):
            kept = values.dropna().unique().tolist()
            why = f"one of the {len(words)} values of the first file"
            found.append(_expect("column_values_to_be_in_set", why, column=column, value_set=kept))
        return found
    finite = values[np.isfinite(values.astype(float))].astype(float)
    low, high = float(finite.min()), float(finite.max())
    room = MARGIN * (high - low)
    bounds = {"min_value": low - room, "max_value": high + room}
    positive = low > 0 >= low - room
    if positive:
        bounds |= {"min_value": 0.0, "strict_min": True}
    elif low == 0:
        bounds["min_value"] = 0.0
    why = f"between {low:g} and {high:g} in the first file" + (", always positive" if positive else "")
    found.append(_expect("column_values_to_be_between", why, column=column, **bounds))
    if low < high:
        why = "at least two different values"
        found.append(_expect("column_unique_value_count_to_be_between", why, column=column, min_value=2))
    return found


def _expect(kind: str, why: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"why": why}}


def check(source: Table, suite: Path, out: Path) -> tuple[dict[str, Any], str | None]:
    """Check a table against the file ``suite``; return the results, and a line about what failed, if any.

    A text in a column of numbers counts as missing, and is kept in the quarantine as it is written. Writes
    ``validation.json``, ``quarantine.parquet`` and ``data_docs/`` in the folder ``out``. The columns
    ``example`` and ``reason`` of the quarantine have other names if the table has columns of these names.
    """
    asked = read_suite(suite)
    example = free_name("example", source.frame.columns)
    numbered = {example: [f"row {k}" for k in range(1, len(source.frame) + 1)]}
    found = examined(asked, source.typed().assign(**numbered), out / "data_docs", (example,))
    failed = [f for f in found if not f["success"]]
    aside = at_fault(source.frame.assign(**numbered), failed, (example,))
    for column in aside.select_dtypes("object"):  # a column of Parquet has one type
        aside[column] = aside[column].astype("string")
    result = {
        "success": not failed,
        "suite": asked["suite"],
        "rows": len(source.frame),
        "quarantined": len(aside),
        "expectations": [{k: v for k, v in f.items() if k != "rows"} for f in found],
    }
    with atomic_write(out / "validation.json", out / "quarantine.parquet") as (facts, rows):
        write_json(facts, result)
        aside.to_parquet(rows, index=False)
    if not failed:
        return result, None
    return result, failure_line(failed, f"{source.label}: suite {asked['suite']}", out / "data_docs")
