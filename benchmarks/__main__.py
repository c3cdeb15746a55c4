"""``python -m benchmarks [ROW ...]``: run the named rows, or all; exit code 1 if any falls short."""

import sys

from rich.console import Console
from rich.table import Table

from benchmarks import scores, times
from benchmarks.row import Row

ROWS = {
    "help": times.help_page,
    "sp500": scores.sp500,
    "normaliser": scores.normaliser,
    "elnino": scores.elnino,
    "runs": times.runs,
    "repro": times.repro,
    "cold": times.cold,
    "tests": times.tests,
}


def main() -> int:
    chosen = sys.argv[1:] or list(ROWS)
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
