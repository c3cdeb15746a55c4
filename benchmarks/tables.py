"""Tables of figures in Markdown pages, written from the stored results between two markers.

The first marker has the name of the table in ``TABLES``::

    <!-- results: forecasting -->
    <!-- end -->
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks import ROOT
from benchmarks.record import Figure, Result
from benchmarks.sources import changed
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write

TABLES: dict[str, tuple[str, ...]] = {
    "front-page": (
        "sp500: S&P 500, one day, 2014–2018: log score over EGARCH-skew-t",
        "sp500: S&P 500, one day, 2014–2018: log score over its own base",
        "closes",
        "vix: S&P 500 close and VIX, 2005–18: log score over scale regression",
        "nino: Niño 3.4, nine indices, 2000–17, leads 3/6/9/12: CRPS below a ridge at .204/.290/.354/.429",
        "alarm: S&P 500 falls 8 % within 21 days, 2005–18: AUROC / AP / Brier skill / calm AUROC",
        "exchange: exchange rates, 40 windows of 30 days: CRPS, CRPS_sum below the random-walk bootstrap",
        "field: Pacific sea-surface temperature fields 1995–2014, 3 / 6 months ahead: RMSE °C beside a "
        "linear inverse model",
        "anomaly: ten anomaly tables, three seeds: mean AUROC; AP",
        "images: 1,797 digits, five folds, five seeds: accuracy; calibration error",
        "mri",
        "music: Last.fm, five splits: NDCG@10; recall@20",
    ),
    "forecasting": ("sp500", "normaliser", "elnino", "lean"),
    "own-files": ("ohlc", "fit", "vix", "closes", "markets", "var", "fz0", "nino", "exchange", "alarm"),
    "fields": ("field", "field-scale"),
    "pipeline": ("cold", "runs", "repro", "help", "tests"),
    "operation": ("fits", "cached", "day", "cluster", "chaos", "together", "adversity", "monitor"),
    "audits": ("audit",),
    "energies": (
        "langevin",
        "bf16",
        "ais",
        "modes",
        "cuda",
        "core-epochs",
        "core-resume",
        "core-quality",
    ),
    "applications": ("images", "anomaly", "mri", "social", "music", "speech", "divergence"),
}
"""Rows of each table, in order. ``ROW: FIGURE`` selects one figure of a row by its description."""

PAGES = ("README.md", "docs/results/*.md")
"""Pages that may have tables. Pages without markers are not changed."""

HEAD = "| figure | target | measured | command | commit |\n|---|---|---|---|---|\n"
MARKER = re.compile(r"<!-- results: (?P<name>[\w-]+) -->\n(?P<table>(?:(?!<!--).)*?)<!-- end -->", re.DOTALL)
CODE_CHANGED = ", code changed since"


def select(results: Mapping[str, Result], chosen: Iterable[str]) -> list[tuple[Result, Figure]]:
    """Return the figures chosen by ``ROW`` or ``ROW: FIGURE``, in order. A row without a result has none."""
    found = []
    for choice in chosen:
        row, _, what = choice.partition(": ")
        result = results.get(row)
        figures = () if result is None else result.figures
        if what:
            figures = tuple(figure for figure in figures if figure.what == what)
            if not figures:
                raise BasinError(f"benchmarks/tables.py: no result has the figure {choice!r}; correct TABLES")
        found += [(result, figure) for figure in figures if result is not None]
    return found


def table(figures: Iterable[tuple[Result, Figure]], root: Path = ROOT) -> str:
    """Return a Markdown table with one figure per row, in which missed targets are marked."""
    rows = []
    for result, figure in figures:
        measured = figure.measured if figure.met else f"**missed:** {figure.measured}"
        commit = f"{result.commit}, {'carried' if result.carried else result.date.isoformat()}"
        if changed(result.sources, root):
            commit += CODE_CHANGED
        cells = (figure.what, figure.target, measured, f"`{result.command}`", commit)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return HEAD + "".join(rows)


def fill(
    page: str,
    results: Mapping[str, Result],
    tables: Mapping[str, tuple[str, ...]] = TABLES,
    root: Path = ROOT,
) -> str:
    """Return the page with all tables updated; raises ``BasinError`` for an unknown or unclosed marker."""

    def written(marker: re.Match[str]) -> str:
        name = marker["name"]
        if name not in tables:
            raise BasinError(f"benchmarks/tables.py: no table {name}; expected one of {', '.join(tables)}")
        return f"<!-- results: {name} -->\n{table(select(results, tables[name]), root)}<!-- end -->"

    filled, count = MARKER.subn(written, page)
    if count != page.count("<!-- results:"):
        raise BasinError("a marker `<!-- results: NAME -->` has no `<!-- end -->` on its own line; add it")
    return filled


def pages(root: Path = ROOT) -> list[Path]:
    return sorted(path for pattern in PAGES for path in root.glob(pattern))


def write_tables(results: Mapping[str, Result], root: Path = ROOT) -> list[Path]:
    """Update the tables of all pages and return the pages that changed."""
    found = []
    for path in pages(root):
        page = path.read_text(encoding="utf-8")
        filled = fill(page, results, root=root)
        if filled != page:
            with atomic_write(path) as (temporary,):
                temporary.write_text(filled, encoding="utf-8")
            found.append(path)
    return found
