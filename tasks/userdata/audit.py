"""``basin audit``: runs every check that applies to a table, and writes the results as JSON and HTML."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.checks.check import require_known, run_checks
from tasks.checks.table import labels, rows, time
from tasks.checks.table.evidence import Spec, TableEvidence
from tasks.reporting.labels import listed
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, write_json
from tasks.runtime.outputs import claim
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.stored import Stored
from tasks.userdata.files.columns import no_column
from tasks.userdata.progress import Stages, without_progress
from tasks.userdata.sources import Data, label_of, naming, table_of

RESULTS = ("audit.json", "audit.html")
"""Files of an audit."""

COLUMNS = {"check": "id", "status": "status", "finding": "why", "faults": "at_fault"}
"""Columns of the table of checks, and the keys of ``audit.json`` that they show."""

SHOWN = 3
"""Number of faults of a check in the summary."""

CHECKS = (*rows.CHECKS, *time.CHECKS, *labels.CHECKS)


@dataclass(frozen=True, repr=False)
class Audit(Stored):
    """Result of :func:`basin.audit`: the status and the finding of each check.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    found : dict
        Content of ``audit.json``: the status of the table, and what each check measured.

    Examples
    --------
    >>> import basin
    >>> found = basin.audit("prices.csv", target="close")  # doctest: +SKIP
    >>> found.checks.query("status == 'fail'")  # doctest: +SKIP
    """

    command = "audit"

    folder: Path
    found: dict[str, Any]

    @property
    def status(self) -> str:
        """Status of the table, that of the worst check: ``pass``, ``warn`` or ``fail``."""
        return str(self.found["status"])

    @property
    def checks(self) -> pd.DataFrame:
        """Status, finding and faults of each check that applies, indexed by ``check``."""
        rows = [
            {key: check[name] for key, name in COLUMNS.items()}
            for check in self.found["checks"]
            if check["status"] != "not applicable"
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS)).set_index("check")

    @property
    def report(self) -> Path:
        """Path of ``audit.html``."""
        return self.folder / "audit.html"

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return the status and the finding of each check, with its first faults, as text."""
        checks = self.checks
        width, statuses = max(map(len, checks.index)), max(map(len, checks["status"]))
        lines = []
        for check, row in checks.iterrows():
            lines.append(f"{check:{width}}  {row['status']:{statuses}}  {row['finding']}")
            lines += [f"{'':{width + statuses + 4}}  {fault}" for fault in row["faults"][:SHOWN]]
        return "\n".join(lines)


def audit(
    data: Data, spec: Spec, out: Path, overwrite: bool = False, stages: Stages = without_progress
) -> Audit:
    """Audit a user's data, and write ``audit.json`` and ``audit.html`` in the folder ``out``."""
    found: dict[str, Any] = {}
    with claim(out, Audit.command, RESULTS, overwrite), naming(data):
        asked, frame = read_audited(data, spec)
        stages("audit", lambda progress: found.update(audit_table(frame, asked, progress)))
        write_audit(found, data.name if isinstance(data, Path) else label_of(data), out)
    return Audit(out, found)


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


def read_audited(data: Data, spec: Spec) -> tuple[Spec, pd.DataFrame]:
    """Read a file with the reader of all commands, and return its table with the spec.

    A table of labelled rows needs no dates. Otherwise columns that the spec does not name are found.
    """
    table = table_of(data, (spec.target,) if spec.target else (), spec.time, spec.series)
    if spec.label is not None and spec.time is None:
        return spec, table.typed()
    roles = table.roles_of_values(spec.time, (spec.target,) if spec.target else (), spec.series)
    if len(roles.targets) > 1:
        raise BasinError(
            f"{label_of(data)}: the columns {listed(roles.targets[:10])} could be the values; pass --target "
            "with one of them"
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
    from tasks.reporting.page import Cell, Row, Section, page, table
    from tasks.reporting.trust import VERDICT, glossary, table_of_checks

    left_out = [check for check in result["checks"] if check["status"] == "not applicable"]
    applied = [check for check in result["checks"] if check not in left_out]
    verdict = VERDICT.get(result["status"], result["status"])
    tiles = [
        (str(sum(check["status"] == status for check in applied)), words)
        for status, words in (("pass", "checks passed"), ("warn", "warnings"), ("fail", "checks failed"))
    ]
    sections = [
        Section("checks", "Checks", "Checks of the table", table_of_checks(f"{name}: {verdict}", applied)),
        glossary(),
    ]
    if left_out:
        rows = [Row(check["title"], [Cell(check["why"], css="words")]) for check in left_out]
        content = table("Checks that do not apply to the table", ["Check", "reason"], rows, (1,))
        sections.insert(1, Section("left-out", "Not applicable", "Checks that do not apply", content))
    lead = "The audit checks whether a table can be used for learning, before a model is fitted to it."
    return page(f"Audit of {name}", "Basin · Audit", f"Checks of {name}: {verdict}", lead, tiles, sections)
