"""Bad input of a stage gives a one-line error and exit code 1, and earlier outputs stay."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.__main__ import main

ROWS = 1600
PRICES = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}


def prices(seed: int) -> pd.DataFrame:
    """Return a random walk that meets all expectations."""
    rng = np.random.default_rng(seed)
    close = 1000 * np.exp(np.cumsum(0.01 * rng.standard_normal(ROWS)))
    opening = close * np.exp(0.002 * rng.standard_normal(ROWS))
    return pd.DataFrame(
        {
            "Date": pd.bdate_range("2000-01-03", periods=ROWS).strftime("%Y-%m-%d"),
            "Open": opening,
            "High": np.maximum(opening, close) * 1.001,
            "Low": np.minimum(opening, close) * 0.999,
            "Close": close,
            "Volume": 1_000_000,
        }
    )


@pytest.fixture
def project(project_root: Path, tmp_path: Path) -> Path:
    """Return a project whose finance sources are two valid files, after its first ingest."""
    (tmp_path / "params.yaml").write_bytes((project_root / "params.yaml").read_bytes())
    catalog = yaml.safe_load((project_root / "data" / "catalog.yaml").read_text())
    (tmp_path / "data" / "local").mkdir(parents=True)
    for seed, name in enumerate(("sp500", "nasdaq")):
        entry = {k: v for k, v in catalog[name].items() if k not in ("package", "loader")}
        catalog[name] = entry | {"kind": "file", "path": f"data/local/{name}.csv"}
        prices(seed).to_csv(tmp_path / "data" / "local" / f"{name}.csv", index=False)
    (tmp_path / "data" / "catalog.yaml").write_text(yaml.safe_dump(catalog))
    (tmp_path / "data" / "expectations").mkdir()
    suite = project_root / "data" / "expectations" / "finance.json"
    (tmp_path / "data" / "expectations" / "finance.json").write_bytes(suite.read_bytes())
    assert run(tmp_path, "ingest") == 0
    (tmp_path / "artifacts" / "finance").mkdir(parents=True)
    (tmp_path / "artifacts" / "finance" / "validation.json").write_text("the last good one")
    return tmp_path


def run(root: Path, stage: str) -> int:
    return main([stage, "--domain", "finance", "--root", str(root)])


def outputs(root: Path, stage: str) -> dict[str, bytes]:
    folder = root / {"ingest": "data/raw", "validate": "artifacts"}[stage]
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(root: Path, stage: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """Check that the stage ends with code 1 and one line with all words, and that outputs do not change."""
    before = outputs(root, stage)
    capsys.readouterr()
    assert before and run(root, stage) == 1
    line = capsys.readouterr().err
    assert line.startswith("basin: ") and line.count("\n") == 1 and len(line) < 700
    for word in words:
        assert word in line
    assert outputs(root, stage) == before


def change(root: Path, edit: Callable[[pd.DataFrame], object]) -> None:
    """Change the S&P 500 file by ``edit``, which changes the table in place or returns a new one."""
    path = root / "data" / "local" / "sp500.csv"
    table = pd.read_csv(path, dtype={"Date": str})
    edited = edit(table)
    (table if edited is None else edited).to_csv(path, index=False)


def put(row: int | slice, column: str, value: object) -> Callable[[pd.DataFrame], object]:
    """Return an edit that sets ``column`` in ``row``, where 0 is the first row below the header."""

    def edit(table: pd.DataFrame) -> pd.DataFrame:
        changed = table.astype({column: object})
        changed.loc[row, column] = value
        return changed

    return edit


def halved(table: pd.DataFrame) -> None:
    """Halve the price from the hundredth row on, as after a stock split without adjustment."""
    table.loc[99:, ["Open", "High", "Low", "Close"]] /= 2


INGEST = {
    "wrong-column": (
        lambda t: t.rename(columns={"Close": "Last"}),
        ("no column Close", "found Date, Open", "Last"),
    ),
    "no-date-column": (lambda t: t.drop(columns="Date"), ("no column Date",)),
    "date-does-not-parse": (
        put(41, "Date", "31/12/2003"),
        ("column Date, row 42", "'31/12/2003'", "YYYY-MM-DD"),
    ),
    "date-missing": (put(7, "Date", np.nan), ("column Date, row 8", "is not a date")),
    "text-for-a-number": (put(3, "Close", "n.a."), ("column Close, row 4", "'n.a.'", "is not a number")),
    "no-rows": (lambda t: t.iloc[:0], ("no row was published", "it has no rows")),
}


@pytest.mark.parametrize("case", INGEST)
def test_what_cannot_be_read_stops_ingest(
    project: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    edit, words = INGEST[case]
    change(project, edit)
    refused(project, "ingest", capsys, (str(project / "data" / "local" / "sp500.csv"), *words))


def test_a_missing_file_stops_ingest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "data" / "local" / "nasdaq.csv").unlink()
    refused(
        project, "ingest", capsys, ("nasdaq", str(project / "data" / "local" / "nasdaq.csv"), "no such file")
    )


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"Date,Close\n1,2,3,4\n1,2\n1,2,3,4,5,6\n", b""])
def test_a_file_that_is_no_table_stops_ingest(
    project: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (project / "data" / "local" / "sp500.csv").write_bytes(content)
    refused(project, "ingest", capsys, ("sp500.csv", "not a readable csv file"))


def test_a_folder_in_place_of_a_file_stops_ingest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "data" / "local" / "sp500.csv").unlink()
    (project / "data" / "local" / "sp500.csv").mkdir()
    refused(project, "ingest", capsys, ("sp500.csv", "cannot read it"))


def test_a_checksum_that_differs_stops_ingest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "data" / "catalog.yaml"
    catalog = yaml.safe_load(path.read_text())
    catalog["sp500"]["sha256"] = "0" * 64
    path.write_text(yaml.safe_dump(catalog))
    refused(project, "ingest", capsys, ("sp500.csv", "sha256 is ", f"expected {'0' * 64}"))


def test_an_unknown_parameter_stops_any_stage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("ingest: {", "ingest: {asof: 1, ", 1))
    refused(project, "ingest", capsys, ("unknown key `finance.ingest.asof`",))


VALIDATE = {
    "duplicate-date": (
        lambda t: t.loc[[*range(10), 9, *range(10, ROWS)]],
        ("unique", "2000-01-14 (sp500)", "2 rows"),
    ),
    "unsorted-dates": (
        lambda t: t.loc[[*range(20), 21, 20, *range(22, ROWS)]],
        ("days_since_previous", "1 rows", "2000-01-31 (sp500)", "strictly increase"),
    ),
    "missing-value": (put(5, "Open", np.nan), ("not_be_null on open", "1 rows", "2000-01-10 (sp500)")),
    "infinity": (put(5, "Close", "inf"), ("between on close", "1 rows", "2000-01-10 (sp500)", "finite")),
    "zero-price": (
        put(slice(5, 6), "Low", 0),
        ("between on low", "2 rows", "2000-01-10", "2000-01-11", "positive"),
    ),
    "negative-price": (put(9, "Close", -3), ("between on close", "2000-01-14 (sp500)", "positive")),
    "constant-series": (
        lambda t: t.assign(Open=1, High=1, Low=1, Close=1),
        ("unique_value_count", "on close", "sp500", "found 1", "constant"),
    ),
    "too-few-rows": (lambda t: t.iloc[:1400], ("row_count", "sp500", "found 1400", "six years")),
    "high-below-close": (put(30, "High", 1), ("high, open", "1 rows", "2000-02-14 (sp500)")),
    "a-price-in-other-units": (halved, ("on log_return", "1 rows", "2000-05-19 (sp500)", "split")),
}


@pytest.mark.parametrize("case", VALIDATE)
def test_bad_values_stop_validate(project: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    edit, words = VALIDATE[case]
    change(project, edit)
    assert run(project, "ingest") == 0  # read as it is: nothing is sorted, dropped or filled in
    refused(project, "validate", capsys, ("finance.parquet", "suite finance", *words))


def test_a_broken_raw_table_stops_validate(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "data" / "raw" / "finance.parquet").write_bytes(b"PAR1 and then nothing")
    refused(
        project, "validate", capsys, ("finance.parquet", "not readable Parquet", "run the stage ingest again")
    )
    (project / "data" / "raw" / "finance.parquet").unlink()
    refused(project, "validate", capsys, ("finance.parquet is missing",))


def test_features_refuse_a_table_that_its_suite_has_not_passed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The validation of an earlier table must not hold for a new one."""
    (project / "artifacts" / "finance" / "validation.json").write_text('{"raw_sha256": "of another table"}')
    assert run(project, "features") == 1
    assert (
        "not the table that the stage validate accepted; run `basin stage validate" in capsys.readouterr().err
    )


def test_a_stage_without_its_inputs_names_the_missing_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("audit", "evaluate", "landscape", "report"):
        assert run(project, stage) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "is missing; run the stage" in error


def test_a_full_disk_stops_ingest(project: Path, project_root: Path) -> None:
    before = outputs(project, "ingest")
    done = subprocess.run(
        [sys.executable, "-m", "tasks", "ingest", "--domain", "finance", "--root", str(project)],
        cwd=project_root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        # The kernel refuses any file beyond this size, as a full disk would.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "cannot write" in done.stderr and "free some space" in done.stderr
    assert outputs(project, "ingest") == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_folder_stops_ingest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "data" / "raw").chmod(0o555)
    try:
        refused(project, "ingest", capsys, ("cannot write", "make the folder writable"))
    finally:
        (project / "data" / "raw").chmod(0o755)
