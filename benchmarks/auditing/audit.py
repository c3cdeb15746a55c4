"""Detection of corrupted tables by the audit, and its false alarms: ``python -m benchmarks audit``.

Forty corruptions, each mild and gross, are applied to the S&P 500 and El Niño data of installed packages and
to synthetic panels and scans.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.auditing.blind_corruptions import CONTROLS, PRICES, TEN
from benchmarks.auditing.blind_corruptions import SEA as OUTSIDE_SEA
from benchmarks.auditing.spoilings import SEA, SPEC, SPOILINGS, TABLES
from benchmarks.row import Row
from tasks.checks.check import ORDER
from tasks.checks.drift import drift
from tasks.checks.table.evidence import Spec
from tasks.checks.table.time import DRIFT_LEVEL
from tasks.userdata.audit import audit_table
from tests.synthetic_tables import garch, seasonal

WINDOWS, SIMULATED = 200, 200


def audit() -> Iterator[Row]:
    yield from spoiled()
    yield from outside()
    yield from clean()
    yield from still()
    yield from large()
    yield from lazily()
    yield from credit()


def spoiled() -> Iterator[Row]:
    made = {name: make() for name, make in TABLES.items()}
    for gross, least in ((True, 40), (False, 32)):
        missed = []
        for spoiling in SPOILINGS:
            table = spoiling.make(made[spoiling.table], gross).reset_index(drop=True)
            checks = audit_table(table, Spec(**(spoiling.spec or SPEC)))["checks"]
            status = {check["id"]: check["status"] for check in checks}
            # A warning counts as detection for mild corruptions, and for `breaks`, which never fails.
            enough = ("fail",) if gross and spoiling.check != "breaks" else ("fail", "warn")
            if status[spoiling.check] not in enough:
                others = [name for name, found in status.items() if found == "fail"]
                missed.append(spoiling.name + (f" (seen by {', '.join(others)})" if others else ""))
        seen = len(SPOILINGS) - len(missed)
        shown = f"{seen} of {len(SPOILINGS)}" + (f"; missed: {'; '.join(missed)}" if missed else "")
        yield Row(
            f"{'gross' if gross else 'mild'} spoilings seen by the right check",
            f"≥ {least}",
            shown,
            seen >= least,
            value=seen,
        )


def outside() -> Iterator[Row]:
    """Measure detection of corruptions that were written by somebody who knew only the checks' titles.

    A corruption is detected if one of the accepted checks fails (for a mild one: warns) on the corrupted
    table and has a better status on the correct version of the table.
    """
    prices = TABLES["prices"]()[["date", "close", "volatility"]].rename(columns={"volatility": "vix"})
    sea_ = TABLES["sea"]().rename(columns={"close": "sst"})
    made = {name: table.assign(date=pd.to_datetime(table["date"])) for name, table in
            (("prices", prices), ("sea", sea_))}  # fmt: skip

    def found(table: pd.DataFrame, spec: dict) -> dict[str, int]:
        checks = audit_table(table, Spec(**spec))["checks"]
        return {check["id"]: ORDER.index(check["status"]) for check in checks}

    for gross, target in ((True, "≥ 8"), (False, "shown")):
        missed = []
        for one in TEN:
            spec = one.spec or {"prices": PRICES, "sea": OUTSIDE_SEA}[one.table]
            honest = found(CONTROLS.get(one.name, lambda table: table)(made[one.table]), spec)
            ruined = found(one.make(made[one.table], gross), spec)
            # A warning counts as detection for mild corruptions, and for `breaks`, which never fails.
            seen = {
                name
                for name, status in ruined.items()
                if status > honest[name]
                and status >= ORDER.index("fail" if gross and name != "breaks" else "warn")
            }
            if not seen & set(one.checks):
                missed.append(one.name + (f" (seen by {', '.join(sorted(seen))})" if seen else ""))
        count = len(TEN) - len(missed)
        shown = f"{count} of {len(TEN)}" + (f"; missed: {'; '.join(missed)}" if missed else "")
        what = f"{'gross' if gross else 'mild'} spoilings by somebody who knew only the checks' titles"
        yield Row(what, target, shown, count >= 8 if gross else True, value=count)


def clean() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    real = {name: TABLES[name]() for name in ("prices", "sea")}
    outcomes = failed = stopped = tables = 0
    which: dict[str, int] = {}
    for k in range(WINDOWS + SIMULATED):
        if k < WINDOWS:
            name = ("prices", "sea")[k % 2]
            length = int(rng.integers(1000, 3000) if name == "prices" else rng.integers(240, 600))
            first = int(rng.integers(0, len(real[name]) - length))
            table, spec = real[name].iloc[first : first + length], SPEC if name == "prices" else SEA
        else:
            table, spec = (garch(k), SPEC) if k % 2 else (seasonal(k), SPEC)
        checks = audit_table(table.reset_index(drop=True), Spec(**spec))["checks"]
        applied = [check for check in checks if check["status"] != "not applicable"]
        bad = [check["id"] for check in applied if check["status"] == "fail"]
        outcomes, failed = outcomes + len(applied), failed + len(bad)
        stopped, tables = stopped + bool(bad), tables + 1
        for name in bad:
            which[name] = which.get(name, 0) + 1
    by = ", ".join(f"{name} {count}" for name, count in which.items()) or "none"
    yield Row(
        f"{tables} clean tables: outcomes that fail",
        "≤ 2 %",
        f"{failed / outcomes:.2%} ({by})",
        failed <= 0.02 * outcomes,
        value=100 * failed / outcomes,
        unit="%",
    )
    yield Row(
        f"{tables} clean tables: tables stopped",
        "≤ 5 %",
        f"{stopped / tables:.1%}",
        stopped <= 0.05 * tables,
        value=100 * stopped / tables,
        unit="%",
    )


def still(tables: int = 300) -> Iterator[Row]:
    """Measure false alarms of the drift test: the share of tables of AR(1) inputs with a drifted column."""
    from scipy.signal import lfilter

    rng, found = np.random.default_rng(0), []
    for rows, width, memory, columns in ((2000, 120, 0.5, 5), (4000, 120, 0.9, 5), (684, 36, 0.9, 5)):
        chances = []
        for _ in range(tables):
            noise = rng.standard_normal((rows + width + 400, columns))
            table = pd.DataFrame(lfilter([1], [1, -memory], noise, axis=0)[400:])
            chances.append(drift(table.iloc[:-width], table.iloc[-width:])["q"].min())
        found.append(float((np.array(chances) < DRIFT_LEVEL).mean()))
    yield Row(
        "inputs with memory and no drift: called drifted, at the level of 1 %",
        "within 2 points",
        ", ".join(f"{share:.1%}" for share in found),
        max(abs(share - DRIFT_LEVEL) for share in found) <= 0.02,
    )


LARGE = """
import resource, sys, time
import pandas as pd
from tasks.checks.table.evidence import Spec
from tasks.userdata.audit import audit_table
frame = pd.read_parquet(sys.argv[1])
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
audit_table(frame, Spec(time="date", target="close", series="firm"))
taken = time.monotonic() - began
print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, frame.memory_usage(deep=True).sum())
"""


def large(firms: int = 200, length: int = 5000, columns: int = 17) -> Iterator[Row]:
    """Measure time and memory of the audit of a table with one million rows and twenty columns."""
    rng = np.random.default_rng(0)
    times = pd.bdate_range("2000-01-03", periods=length)
    data = {"date": np.tile(times, firms), "firm": np.repeat([f"f{k}" for k in range(firms)], length)}
    data["close"] = np.exp(np.cumsum(0.01 * rng.standard_normal((firms, length)), axis=1)).ravel()
    data |= {f"x{k}": rng.standard_normal(firms * length) for k in range(columns)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.parquet"
        pd.DataFrame(data).to_parquet(path)
        said = subprocess.run(
            [sys.executable, "-c", LARGE, path], capture_output=True, text=True, check=True
        ).stdout
    seconds, memory, size = map(float, said.split())
    yield Row(
        "1 million rows × 20 columns: time",
        "≤ 60 s",
        f"{seconds:.0f} s",
        seconds <= 60,
        value=seconds,
        unit="s",
    )
    share = memory * 1024 / size
    yield Row(
        "1 million rows × 20 columns: memory beyond the table's own",
        "≤ 2 × the table (3 in all)",
        f"{share:.1f} ×",
        share <= 2,
        value=share,
    )


LAZILY = """
import sys
import tests.synthetic_tables as made
from flows.cli import app
from tasks.checks.table.evidence import Spec
from tasks.userdata.audit import audit_table
audit_table(made.garch(0), Spec(time="date", target="close"))
print(*sorted({"great_expectations", "fairlearn", "torch", "prefect", "ray"} & set(sys.modules)))
"""


def lazily() -> Iterator[Row]:
    """Check that an audit of prices imports no package that only suites, fairness or models need."""
    said = subprocess.run([sys.executable, "-c", LAZILY], capture_output=True, text=True, check=True).stdout
    yield Row("imported for an audit of prices, of GX, fairlearn, torch, Prefect, Ray", "nothing",
              said.strip() or "nothing", not said.strip())  # fmt: skip


def credit() -> Iterator[Row]:
    """Audit the fairness, by sex and age, of a credit decision by a model that does not use them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    path = Path(os.environ.get("BASIN_DATA_MIRROR", "."), "audit", "german_credit.data")
    if not path.exists():
        raise SystemExit(
            f"audit: {path} does not exist; set BASIN_DATA_MIRROR to a folder with audit/{path.name}"
        )
    table = pd.read_csv(path, sep="\t", header=None)
    features = pd.get_dummies(table.drop(columns=[8, 12, 20])).rename(columns=str)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    table["good"] = (table[20] == 1).astype(int)
    table["granted"] = cross_val_predict(model, features, table["good"], cv=5)
    table["sex"] = np.where(table[8].isin(["A92", "A95"]), "female", "male")
    table["age"] = np.where(table[12] < 26, "under 26", "26 and over")
    table.columns = table.columns.astype(str)
    spec = Spec(label="good", prediction="granted", protected=("sex", "age"))
    found = {check["id"]: check for check in audit_table(table, spec)["checks"]}["fairness"]
    by = "; ".join(
        f"{group}: ratio {values['selection ratio']}, odds {values['equalised odds']}"
        for group, values in found["measured"].items()
    )
    met = found["status"] == "fail" and any("age" in fault for fault in found["at_fault"])
    yield Row("German credit, a model blind to sex and age", "shown", f"{found['status']}: {by}", met)
