"""Audit of a user's table before anything is fitted: warnings with rows, which ``--strict`` makes stop."""

from tasks.checks.check import ORDER
from tasks.checks.data import TABLE
from tasks.checks.table.evidence import Spec, TableEvidence
from tasks.runtime.calendar import LEAP_DAY
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
    """Return the warnings of the reading and one for each check that does not pass.

    Each begins with the name of its check. With ``--strict`` the first raises ``BasinError``, unless
    ``--accept`` names its check. Such warnings have the reason behind them.
    """
    evidence = _evidence(reading)
    accepted = dict(request.accept)
    found = [*reading.warnings]
    for name, check in CHECKS.items():
        outcome = check.run(evidence)
        if ORDER.index(outcome.status) < ORDER.index("warn"):
            continue
        faults = "; ".join(outcome.at_fault[:SHOWN]) + (" ..." if len(outcome.at_fault) > SHOWN else "")
        sentence = f"{name}: {outcome.why}: {faults}" if faults else f"{name}: {outcome.why}"
        found.append(sentence)
    warnings = []
    for sentence in found:
        name = sentence.partition(":")[0]
        if name in accepted:
            warnings.append(f"{sentence} (accepted: {accepted[name]})")
            continue
        warnings.append(sentence)
        if request.strict:
            raise BasinError(
                f'--strict: {sentence}; correct the file, accept the finding with --accept {name}="reason", '
                "or omit --strict"
            )
    return tuple(warnings)


def _evidence(reading: Reading) -> TableEvidence:
    """Return the table with the numbers of its rows in the file."""
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
    absent = reading.calendar.closed & LEAP_DAY
    return TableEvidence(frame.reset_index(drop=True), spec, table.index.to_numpy(), absent)
