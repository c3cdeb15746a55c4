"""Audit of a user's table before anything is fitted: warnings with rows, which ``--strict`` makes stop."""

import numpy as np

from tasks.checks.check import ORDER
from tasks.checks.data import TABLE
from tasks.checks.table.evidence import Spec, TableEvidence
from tasks.runtime.errors import BasinError
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request

CHECKS = {"columns": TABLE["look-ahead"]} | {
    name: TABLE[name] for name in ("coverage", "duplicates", "impossible", "survivorship", "breaks", "drift")
}
"""Checks of the audit that need no forecast. The reading of the file has checked its dates."""

SHOWN = 3
"""Faults that a warning names."""


def first_audit(reading: Reading, request: Request) -> tuple[str, ...]:
    """Return a warning for each check that does not pass, or raise ``BasinError`` with ``--strict``.

    A finding that ``--accept`` names is no warning, and is returned with its reason.
    """
    evidence = _evidence(reading)
    accepted = dict(request.accept)
    warnings, open_findings = [], []
    for name, check in CHECKS.items():
        outcome = check.run(evidence)
        if ORDER.index(outcome.status) < ORDER.index("warn"):
            continue
        faults = "; ".join(outcome.at_fault[:SHOWN]) + (" ..." if len(outcome.at_fault) > SHOWN else "")
        sentence = f"{name}: {outcome.why}: {faults}" if faults else f"{name}: {outcome.why}"
        if name in accepted:
            warnings.append(f"{sentence} (accepted: {accepted[name]})")
            continue
        warnings.append(sentence)
        open_findings.append(sentence)
    if request.strict and (open_findings or reading.warnings):
        first = [*reading.warnings, *open_findings][0]
        raise BasinError(
            f"--strict: {first}; correct the file, accept the finding with --accept CHECK=REASON, or omit "
            "--strict"
        )
    return tuple(warnings)


def _evidence(reading: Reading) -> TableEvidence:
    """Return the table in the order of the file.

    Rows that were left out are empty, so rows keep their numbers.
    """
    table = reading.table
    frame = table.rename(columns={reading.value: "close"})
    spec = Spec(
        time="time",
        target="close",
        series="series",
        kind=reading.kind,
        freq=reading.freq,
        inputs=(*reading.exog, *(("open", "high", "low") if reading.ohlc else ())),
    )
    whole = frame.reindex(np.arange(1, int(table.index.max()) + 1))
    return TableEvidence(whole.reset_index(drop=True), spec)
