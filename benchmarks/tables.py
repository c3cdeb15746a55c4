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

COMPARISONS = {
    "front-page": (
        ("joint", "20 US stocks jointly, next day, 2003–2022", "log score, nats"),
        ("sp500", "S&P 500, next day, 2014–2018", "log score, nats"),
        ("sp500", "NASDAQ, next day, 2014–2018", "log score, nats"),
        ("closes", "Seven markets, each its own file, next day, from 2008", "log score, nats"),
        ("vix", "S&P 500 with the VIX, next day, 2005–2018", "log score, nats"),
        ("nino", "Niño 3.4 with nine indices, 3 to 12 months ahead, 2000–2017", "CRPS, °C"),
        ("alarm", "Alarm of a fall of 8 % within 21 days, S&P 500, 2005–2018", "Brier skill"),
        ("exchange", "Eight exchange rates jointly, 30 days ahead, 40 windows", "CRPS_sum"),
        ("field", "Pacific sea-surface temperature fields, 6 months ahead, 1995–2014", "energy score"),
        ("anomaly", "Anomalies in ten tables, three seeds", "AUROC"),
        ("images", "1,797 digits, five folds, five seeds", "accuracy"),
        ("mri", "Synthetic lesions in healthy brain scans", "AUROC"),
        ("music", "Artists for Last.fm listeners, five splits", "NDCG@10"),
    ),
}
"""Comparisons of each table, in order: the row, what is compared, and the score."""

TABLES: dict[str, tuple[str, ...]] = {
    "forecasting": ("sp500", "normaliser", "elnino", "lean"),
    "own-files": (
        "ohlc",
        "fit",
        "vix",
        "closes",
        "markets",
        "var",
        "fz0",
        "nino",
        "season",
        "exchange",
        "alarm",
    ),
    "joint": ("joint", "joint-dow", "joint-short"),
    "fields": ("field", "field-scale"),
    "pipeline": ("cold", "runs", "repro", "tests"),
    "speed": ("forecast-time", "patience", "backtest-time", "nino-time", "imports"),
    "operation": ("fits", "cached", "day", "cluster", "chaos", "together", "adversity", "monitor"),
    "audits": ("audit", "cases"),
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
COMPARISON_HEAD = "| task | score | best peer | Basin | better by (95 % interval) |\n|---|---|---|---|---|\n"
MARKER = re.compile(r"<!-- results: (?P<name>[\w-]+) -->\n(?P<table>(?:(?!<!--).)*?)<!-- end -->", re.DOTALL)
CODE_CHANGED = ", code changed since"
MARK = " †"
"""The same in a table of comparisons."""


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


def comparison_table(
    results: Mapping[str, Result], chosen: Iterable[tuple[str, str, str]], root: Path = ROOT
) -> str:
    """Return a Markdown table of Basin's model beside the best other model."""
    rows = []
    for row, of, measure in chosen:
        result = results.get(row)
        figures = () if result is None else result.figures
        compared = [figure.comparison for figure in figures if figure.comparison is not None]
        found = [one for one in compared if (one.of, one.measure) == (of, measure)]
        if result is None or not found:
            raise BasinError(
                f"benchmarks/results/{row}.json: no comparison of {of!r} by {measure}; run "
                f"`python -m benchmarks {row}`"
            )
        one = found[0]
        gain = _signed(one.gain, one.digits, one.unit)
        if one.interval is not None:
            gain += f" ({' to '.join(_signed(bound, one.digits, one.unit) for bound in one.interval)})"
        theirs, ours = (
            "–" if score is None else _signed(score, one.digits).removeprefix("+")
            for score in (one.theirs, one.ours)
        )
        mark = MARK if result.carried or changed(result.sources, root) else ""
        rows.append(f"| {of}{mark} | {one.measure} | {theirs} ({one.peer}) | {ours} | {gain} |\n")
    return COMPARISON_HEAD + "".join(rows)


def _signed(value: float, digits: int, unit: str = "") -> str:
    """Return a number with its sign, such as ``−0.012``. Per cents have one decimal."""
    shown = f"{value:+.1f} %" if unit == "%" else f"{value:+.{digits}f}"
    return shown.replace("-", "−")


def fill(
    page: str,
    results: Mapping[str, Result],
    tables: Mapping[str, tuple[str, ...]] = TABLES,
    root: Path = ROOT,
) -> str:
    """Return the page with all tables updated; raises ``BasinError`` for an unknown or unclosed marker."""

    def written(marker: re.Match[str]) -> str:
        name = marker["name"]
        if name in tables:
            written = table(select(results, tables[name]), root)
        elif name in COMPARISONS:
            written = comparison_table(results, COMPARISONS[name], root)
        else:
            names = ", ".join([*tables, *COMPARISONS])
            raise BasinError(f"benchmarks/tables.py: no table {name}; expected one of {names}")
        return f"<!-- results: {name} -->\n{written}<!-- end -->"

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
