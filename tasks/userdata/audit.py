"""``basin audit``: runs every check that applies to a table, and writes the results as JSON and HTML."""

from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.checks.check import require_known, run_checks
from tasks.checks.table import labels, rows, time
from tasks.checks.table.evidence import Spec, TableEvidence
from tasks.reporting.labels import listed
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.userdata.files.columns import no_column
from tasks.userdata.files.table import load

CHECKS = (*rows.CHECKS, *time.CHECKS, *labels.CHECKS)


def audit_table(frame: pd.DataFrame, spec: Spec, progress: Progress = silent) -> dict[str, Any]:
    """Run the checks of the audit on a table and return ``{"status", "checks"}``.

    Checks that concern time run only if ``spec.time`` names a column.

    Raises
    ------
    BasinError
        If the table is empty, or lacks a column or date that the spec names.
    """
    absent = sorted(name for name in {*spec.named, *spec.inputs, *spec.limits} if name not in frame.columns)
    if absent:
        raise BasinError(no_column(absent, frame))
    if frame.empty:
        raise BasinError("the table has no rows; give a file with data")
    evidence = TableEvidence(frame.reset_index(drop=True), spec)
    if spec.time and not evidence.time.notna().any():
        raise BasinError(f"column {spec.time} holds no date; expected YYYY-MM-DD, as in 2014-01-31")
    require_known(spec.waive, CHECKS, "waive")
    checks = CHECKS if spec.time else labels.CHECKS
    return run_checks(checks, evidence, progress, spec.waive, date.today())


def read_audited(data: Path, spec: Spec) -> tuple[Spec, pd.DataFrame]:
    """Read a file with the reader of all commands, and return its table with the spec.

    A table of labelled rows needs no dates. Otherwise columns that the spec does not name are found.
    """
    table = load(data, (spec.target,) if spec.target else (), spec.time, spec.series)
    if spec.label is not None and spec.time is None:
        return spec, table.typed()
    roles = table.roles(spec.time, (spec.target,) if spec.target else (), spec.series)
    if len(roles.targets) > 1:
        raise BasinError(
            f"{data}: the columns {listed(roles.targets[:10])} could be the values; pass --target with one "
            "of them"
        )
    frame = table.typed(spec.time)
    frame[roles.time] = roles.dates.time.to_numpy()
    found = {"time": roles.time, "target": roles.targets[0], "series": roles.series}
    return spec.model_copy(update=found), frame


def write_audit(result: dict[str, Any], name: str, out: Path) -> None:
    """Write ``audit.json`` and ``audit.html`` in the folder ``out``, both or neither."""
    with atomic_write(out / "audit.json", out / "audit.html") as (facts, page):
        write_json(facts, result)
        page.write_text(page_of(result, name), encoding="utf-8")


def page_of(result: dict[str, Any], name: str) -> str:
    from tasks.reporting.style import CSS
    from tasks.reporting.trust import VERDICT, table_of_checks

    left_out = [check for check in result["checks"] if check["status"] == "not applicable"]
    applied = [check for check in result["checks"] if check not in left_out]
    left = ", ".join(f"{check['title'].lower()} ({check['why']})" for check in left_out) or "none"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    checks = table_of_checks(f"{name}: {VERDICT.get(result['status'], result['status'])}", applied)
    title = f"Audit of {escape(name)}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{title}</title><style>{CSS}</style></head><body><main><h1>{title}</h1>"
        f"{checks}"
        f"<p>Checks that do not apply: {escape(left)}.</p></main></body></html>\n"
    )
