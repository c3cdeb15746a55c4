"""Run benchmarks, print their figures and write the result of each benchmark that completes."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import record, sources
from benchmarks.row import Row
from tasks.runtime.errors import BasinError

Benchmark = Callable[[], Iterable[Row]]


def run_rows(chosen: Mapping[str, Benchmark], folder: Path = record.RESULTS, dev: bool = False) -> int:
    """Run benchmarks by name; return 1 if a target is missed or a row cannot be measured, else 0.

    A row is written to ``folder`` after its last figure, so an interrupted row does not change the earlier
    result. Runs with ``dev`` measure other dates than those in the figures' names and are never written.
    """
    table = Table("figure", "target", "measured", "", title="Benchmarks")
    good = True
    for name, benchmark in chosen.items():
        # Recorded before the row runs, because the code may change while it runs.
        commit, code = (None, None) if dev else (record.commit(), sources.hashes(name, benchmark))
        rows = []
        try:
            for row in benchmark():
                rows.append(row)
                verdict = "met" if row.met else "missed"
                print(
                    f"{name}: {row.what}: target {row.target}, measured {row.measured}: {verdict}", flush=True
                )
                table.add_row(row.what, row.target, row.measured, verdict)
        except BasinError as error:
            print(f"{name}: not measured: {error}", flush=True)
            good = False
            continue
        good = good and all(row.met for row in rows)
        if rows and commit is not None and code is not None:
            result = record.Result(
                row=name,
                command=f"python -m benchmarks {name}",
                commit=commit,
                date=datetime.datetime.now(datetime.UTC).date(),
                processor=record.processor(),
                sources=code,
                figures=tuple(record.Figure.of(row) for row in rows),
            )
            record.write(result, folder)
    Console(width=150).print(table)
    return 0 if good else 1
