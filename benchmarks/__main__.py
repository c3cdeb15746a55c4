"""``python -m benchmarks [ROW ...] [--dev] [--tables]``: run the named rows or groups of rows, or all.

A row is a benchmark with one or several figures. Each row that completes is written to
``benchmarks/results/ROW.json``. The exit code is 1 if a target is missed or a row cannot be measured.
``--dev`` scores forecasts on dates before their test blocks and writes nothing. ``--tables`` runs no row and
writes the tables of the README and of ``docs/results`` from the stored results.
"""

import argparse
import sys

from benchmarks import ROOT, energies
from benchmarks.applications import applications, divergence, music_speech, pictures
from benchmarks.auditing import audit, cases
from benchmarks.forecasting import forecast, joint, lean, scores, season
from benchmarks.operation import (
    adversity,
    chaos,
    distributed,
    fields,
    monitor,
    prefect_overhead,
    speed,
    times,
)
from benchmarks.record import read
from benchmarks.runner import run_rows
from benchmarks.tables import write_tables
from tasks.runtime.errors import BasinError

PIPELINE = {
    "sp500": scores.sp500,
    "normaliser": scores.normaliser,
    "elnino": scores.elnino,
    "runs": times.runs,
    "repro": times.repro,
    "cold": times.cold,
    "tests": times.tests,
}
FORECAST = {**forecast.ROWS, "season": season.season, **joint.ROWS}
OPERATION = {
    "chaos": chaos.chaos,
    "cluster": chaos.cluster,
    "together": adversity.together,
    "adversity": adversity.adversity,
    "fits": distributed.fits,
    "cached": prefect_overhead.cached,
    "day": prefect_overhead.day,
    "monitor": monitor.monitor,
    "field": fields.field,
    "field-scale": fields.scale,
}
TRUST = {"audit": audit.audit, "cases": cases.cases}
APPLICATIONS = {
    **pictures.ROWS,
    **applications.ROWS,
    **music_speech.ROWS,
    "divergence": divergence.divergence,
    **lean.ROWS,
}
ROWS = {**PIPELINE, **FORECAST, **speed.ROWS, **OPERATION, **TRUST, **energies.ROWS, **APPLICATIONS}
GROUPS = {
    "pipeline": list(PIPELINE),
    "forecast": list(FORECAST),
    "speed": list(speed.ROWS),
    "operation": list(OPERATION),
    "trust": list(TRUST),
    "core": list(energies.ROWS),
    "applications": list(APPLICATIONS),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the figures of the documentation.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"a group ({', '.join(GROUPS)}) or a row; default: all"
    )
    parser.add_argument(
        "--dev", action="store_true", help="score dates before the test blocks and write nothing"
    )
    parser.add_argument(
        "--tables", action="store_true", help="only write the tables of README and docs/results"
    )
    options = parser.parse_args(arguments)
    if options.tables:
        try:
            written = write_tables(read())
        except BasinError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
        for path in written:
            print(f"wrote {path.relative_to(ROOT)}")
        return 0
    chosen = [row for name in options.rows or GROUPS for row in GROUPS.get(name, [name])]
    unknown = [name for name in chosen if name not in ROWS]
    if unknown:
        print(f"benchmarks: unknown row {unknown[0]}; expected one of {', '.join(ROWS)}", file=sys.stderr)
        return 2
    return run_rows({name: ROWS[name] for name in chosen}, dev=options.dev)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
