"""``python -m benchmarks [ROW ...] [--dev]``: run the named rows, or all; exit code 1 if any falls short.

``pipeline``, ``forecast``, ``operation``, ``trust``, ``core`` and ``applications`` name groups. ``--dev``
scores forecasts before their test blocks.
"""

import sys

from rich.console import Console
from rich.table import Table

from benchmarks import energies
from benchmarks.applications import applications, divergence, music_speech, pictures
from benchmarks.auditing import audit
from benchmarks.forecasting import forecast, lean, scores
from benchmarks.operation import adversity, chaos, distributed, fields, monitor, prefect_overhead, times
from benchmarks.row import Row

PIPELINE = {
    "help": times.help_page,
    "sp500": scores.sp500,
    "normaliser": scores.normaliser,
    "elnino": scores.elnino,
    "runs": times.runs,
    "repro": times.repro,
    "cold": times.cold,
    "tests": times.tests,
}
OPERATION = {
    "chaos": chaos.chaos,
    "together": adversity.together,
    "adversity": adversity.adversity,
    "fits": distributed.fits,
    "cached": prefect_overhead.cached,
    "day": prefect_overhead.day,
    "monitor": monitor.monitor,
    "field": fields.field,
    "field-scale": fields.scale,
}
TRUST = {"audit": audit.audit}
APPLICATIONS = {
    **pictures.ROWS,
    **applications.ROWS,
    **music_speech.ROWS,
    "divergence": divergence.divergence,
    **lean.ROWS,
}
ROWS = {**PIPELINE, **forecast.ROWS, **OPERATION, **TRUST, **energies.ROWS, **APPLICATIONS}
GROUPS = {
    "pipeline": list(PIPELINE),
    "forecast": list(forecast.ROWS),
    "operation": list(OPERATION),
    "trust": list(TRUST),
    "core": list(energies.ROWS),
    "applications": list(APPLICATIONS),
}


def main() -> int:
    asked = [name for name in sys.argv[1:] if name != "--dev"] or list(GROUPS)
    chosen = [row for name in asked for row in GROUPS.get(name, [name])]
    unknown = [name for name in chosen if name not in ROWS]
    if unknown:
        print(f"benchmarks: no row {unknown[0]}; the rows are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    table = Table("row", "asked", "seen", "", title="How good")
    rows: list[Row] = []
    for name in chosen:
        for row in ROWS[name]():
            rows.append(row)
            verdict = "met" if row.met else "short"
            print(f"{name}: {row.what}: asked {row.asked}, seen {row.seen}: {verdict}", flush=True)
            table.add_row(row.what, row.asked, row.seen, verdict)
    Console(width=150).print(table)
    return 0 if all(row.met for row in rows) else 1


sys.exit(main())
