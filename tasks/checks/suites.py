"""Validation of a table against an expectation suite by Great Expectations, with a page of the results."""

import json
import threading
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json
from tasks.runtime.html import document
from tasks.sources.quarantine import at_fault

LISTED = 1000
"""Most failing rows of an expectation on the page."""

STYLE = """
:root{color-scheme:light dark;background:Canvas;color:CanvasText}
body{font:16px/1.5 system-ui,sans-serif;max-width:1080px;margin:0 auto;padding:24px}
h1{font-size:26px}h2{font-size:19px;margin-top:32px}div{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14.5px}
th,td{text-align:left;vertical-align:top;padding:6px 12px 6px 0;border-top:1px solid #8886;
overflow-wrap:anywhere;min-width:4em}
td:nth-child(6){min-width:14em}thead th{border:0}thead th,b{white-space:nowrap}
b{padding:1px 8px;border-radius:9px}.met{background:#d9f2e0;color:#0b5223}
.failed{background:#fbdcd8;color:#8c160c}
@media print{:root{color-scheme:light}body{padding:0;font-size:10pt}table{font-size:8pt}div{overflow:visible}
th,td,td:nth-child(6){min-width:0}tr{break-inside:avoid}b{print-color-adjust:exact}}
"""
"""Style sheet of the page, in the colours of the browser."""

SHOWN = 5
"""Number of failing rows whose dates are kept. All failing rows are counted."""

_one_at_a_time = threading.Lock()
"""Lock for Great Expectations, whose context is a module global, while domains validate in threads."""


def accepted(
    suite: dict[str, Any], raw: pd.DataFrame, label: str, data_docs: Path, quarantine: Path | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Split ``raw`` into rows that meet the suite and rows that break it.

    Returns the good rows, the bad ones with a ``reason``, and the result of each expectation. Bad rows are
    first written to ``quarantine``, with their position ``row`` in ``raw``. Raises ``BasinError`` if their
    share is larger than the suite allows, or if the good rows break the suite as well.
    """
    found = examined(suite, derived(raw), data_docs, ("series", "time"))
    aside = at_fault(raw, [f for f in found if not f["success"]])
    if quarantine is not None:
        with atomic_write(quarantine) as (path,):
            aside.assign(row=aside.index.astype("int64")).to_parquet(path, index=False)
    if aside.empty or len(aside) > suite.get("quarantine", 0) * len(raw):
        return raw, aside, _required(suite, found, label, data_docs)
    kept = raw.drop(index=aside.index).reset_index(drop=True)
    return kept, aside, require(suite, derived(kept), label, data_docs, ("series", "time"))


def require(
    suite: dict[str, Any], table: pd.DataFrame, label: str, data_docs: Path, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the result of each expectation; raise ``BasinError`` if ``table`` breaks one."""
    return _required(suite, examined(suite, table, data_docs, names), label, data_docs)


def examined(
    suite: dict[str, Any], table: pd.DataFrame, data_docs: Path, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Call :func:`run_suite` under a lock, because it is not thread-safe."""
    with _one_at_a_time:
        return run_suite(suite, table, data_docs, names)


def _required(
    suite: dict[str, Any], found: list[dict[str, Any]], label: str, data_docs: Path
) -> list[dict[str, Any]]:
    failed = [f for f in found if not f["success"]]
    if failed:
        raise BasinError(failure_line(failed, f"{label}: suite {suite['suite']}", data_docs))
    return [{name: value for name, value in f.items() if name != "rows"} for f in found]


def failure_line(failed: list[dict[str, Any]], label: str, data_docs: Path) -> str:
    """Return an error message with the first failure and the file that shows all failures."""
    others = f" ({len(failed) - 1} more expectations failed)" if len(failed) > 1 else ""
    return (
        f"{label}: {_words(failed[0])}{others}; correct the source and run again; the failing rows are shown "
        f"in {data_docs / 'index.html'}"
    )


def read_suite(path: Path) -> dict[str, Any]:
    """Read ``{"suite": name, "expectations": [{"type", "kwargs", "meta"}]}`` from a JSON file.

    Raises ``BasinError`` for other keys.
    """
    remedy = "restore the file, or write a suite with `basin validate --propose FILE`"
    suite: dict[str, Any] = read_json(path, remedy)
    sound = isinstance(suite, dict) and isinstance(suite.get("suite"), str)
    if not sound or not suite["suite"] or not suite.get("expectations"):
        raise BasinError(f"{path}: expected `suite` (a name) and `expectations` (a list); {remedy}")
    for number, expectation in enumerate(suite["expectations"], 1):
        if set(expectation) != {"type", "kwargs", "meta"}:
            raise BasinError(
                f"{path}: expectation {number}: keys {', '.join(expectation)}; expected type, kwargs and meta"
            )
    return suite


def derived(raw: pd.DataFrame) -> pd.DataFrame:
    """Add columns that suites may name.

    These are ``days_since_previous``, ``day_of_month`` and, if there is a ``close``, ``log_return``, which is
    100·Δlog close. Differences are missing in the first row of each series. The return is missing where a
    price is not positive, because another expectation reports such prices.
    """
    table = raw.copy()
    by_series = table.groupby("series", sort=False)
    if pd.api.types.is_datetime64_any_dtype(table["time"]):
        table["days_since_previous"] = by_series["time"].diff().dt.total_seconds() / 86400
        table["day_of_month"] = table["time"].dt.day
    if "close" in table and pd.api.types.is_numeric_dtype(table["close"]):
        log_close = np.log(table["close"].where(table["close"] > 0))
        table["log_return"] = 100 * log_close.groupby(table["series"], sort=False).diff()
    return table


def run_suite(
    suite: dict[str, Any], table: pd.DataFrame, data_docs: Path, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return an entry for each expectation, in the order of the suite, and write ``data_docs/index.html``.

    An entry has the keys ``expectation``, ``column``, ``where``, ``success``, ``observed``, ``failing_rows``,
    ``rows``, ``dates`` and ``why``. The columns ``names`` identify a row. Not thread-safe.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("raw").add_dataframe_asset("table")
    definition = asset.add_batch_definition_whole_dataframe("all rows")
    expectations = gx.ExpectationSuite(name="suite")
    for position, entry in enumerate(suite["expectations"]):
        meta = {**entry["meta"], "position": position}
        try:
            expectations.add_expectation_configuration(
                ExpectationConfiguration(type=entry["type"], kwargs=entry["kwargs"], meta=meta)
            )
        except (GreatExpectationsError, ValueError) as error:  # pydantic's errors are ValueErrors
            raise BasinError(
                f"suite {suite['suite']}: expectation {position + 1} ({entry['type']}) is not valid in Great "
                f"Expectations: {' '.join(str(error).split())}; correct its type or kwargs"
            ) from error
    validation = gx.ValidationDefinition(
        name="validation", data=definition, suite=context.suites.add(expectations)
    )
    outcome = context.validation_definitions.add(validation).run(
        batch_parameters={"dataframe": table},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": list(names)},
    )
    results: list[Any] = outcome.results
    in_order = sorted(results, key=lambda r: r.expectation_config.meta["position"])
    found = [_entry(result, names) for result in in_order]
    with atomic_write(data_docs) as (folder,):
        folder.mkdir()
        page = docs_page(suite["suite"], len(table), found)
        (folder / "index.html").write_text(page, encoding="utf-8")
    return found


def docs_page(name: str, rows: int, found: list[dict[str, Any]]) -> str:
    """Return an HTML page with every expectation, and the rows that fail it."""
    lines, failing = [], []
    for number, entry in enumerate(found, 1):
        what = escape(entry["expectation"].removeprefix("expect_").replace("_", " "))
        where = ", ".join(filter(None, (entry["column"] or "table", entry["where"])))
        status = '<b class="met">met</b>' if entry["success"] else '<b class="failed">failed</b>'
        observed = "" if entry["observed"] is None else _shown(entry["observed"])
        count = (
            f'<a href="#rows-{number}">{entry["failing_rows"]}</a>'
            if entry["rows"]
            else f"{entry['failing_rows']}"
        )
        cells = [escape(where), status, count, escape(observed), escape(entry["why"])]
        lines.append(
            f"<tr><th scope=row>{what}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        )
        if entry["rows"]:
            title = f"Rows that fail: {what}, {escape(where)}"
            failing.append(f'<h2 id="rows-{number}">{title}</h2>{_rows_table(title, entry["rows"])}')
    met = sum(entry["success"] for entry in found)
    columns = ("Expectation", "column", "status", "failing rows", "observed", "reason")
    heads = "".join(f"<th scope=col>{column}</th>" for column in columns)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return document(
        f"Validation: {name}",
        STYLE,
        f"<main><h1>Validation by the suite {escape(name)}</h1><p>The table of {rows:,} rows meets {met} of "
        f"{len(found)} expectations, checked by Great Expectations.</p>{_box('Expectations', table)}"
        f"{''.join(failing)}</main>",
    )


def _rows_table(title: str, rows: list[dict[str, Any]]) -> str:
    """Return a table of rows, which begin with the columns that identify them."""
    columns = list(rows[0])
    heads = "".join(f"<th scope=col>{escape(str(column))}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(row.get(column)))}</td>" for column in columns) + "</tr>"
        for row in rows[:LISTED]
    )
    more = f"<p>The first {LISTED:,} of {len(rows):,} rows are shown.</p>" if len(rows) > LISTED else ""
    return more + _box(title, f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "missing" if value is None or value != value else " ".join(str(value).split())


def _box(title: str, table: str) -> str:
    return f'<div tabindex="0" role="region" aria-label="{title}">{table}</div>'


def _entry(result: Any, names: tuple[str, ...]) -> dict[str, Any]:
    config = result.expectation_config
    kwargs = config.kwargs
    detail = json.loads(json.dumps(result.result, default=str))
    rows = [{name: row[name] for name in names} | row for row in detail.get("unexpected_index_list") or []]
    pair = [kwargs[key] for key in ("column_A", "column_B") if key in kwargs]
    column = kwargs.get("column") or ", ".join(pair or kwargs.get("column_list", [])) or None
    at = kwargs.get("row_condition")
    observed = detail.get("observed_value")
    if not result.success and not detail:
        raised = list((result.exception_info or {}).values())
        observed = next((r["exception_message"] for r in raised if isinstance(r, dict)), "it raised an error")
    return {
        "expectation": config.type,
        "column": column,
        "where": f"{at['column']['name']} {at['operator']} {at['parameter']}" if at else None,
        "success": bool(result.success),
        "observed": observed,
        "failing_rows": int(detail.get("unexpected_count", 0)),
        "rows": rows,
        "dates": [_name(row, names) for row in rows[:SHOWN]],
        "why": config.meta["why"],
    }


def _name(row: dict[str, Any], names: tuple[str, ...]) -> str:
    return f"{row['time'][:10]} ({row['series']})" if "time" in names else str(row[names[0]])


def _words(failure: dict[str, Any]) -> str:
    what = failure["expectation"] + (f" on {failure['column']}" if failure["column"] else "")
    what += f" where {failure['where']}" if failure["where"] else ""
    if failure["failing_rows"]:
        where = f"{failure['failing_rows']} rows, first {', '.join(failure['dates'])}"
    else:
        where = f"found {' '.join(str(failure['observed']).split())}"
    return f"{what} failed: {where}; expected: {failure['why']}"
