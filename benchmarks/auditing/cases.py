"""Files as people have them: ``python -m benchmarks cases``, on the folder of BASIN_CASES.

The folder has ``expected.json``, with the right outcome of each file, and the scripts that write the files.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.row import Row
from tasks.fields.reading import open_fields
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import stamp
from tasks.userdata.inspection import Inspection, inspect
from tasks.userdata.request import Request

SCRIPTS = {"finance_files.py": ".", "climate_files.py": "climate", "field_files.py": "fields"}

FORECAST = (
    "F01_yf_multi.csv",
    "F02_null.csv",
    "F03_investing.csv",
    "F04_german.csv",
    "F07_epoch_ms.csv",
    "F10b_footer.csv",
    "F14a_weekly_mon.csv",
    "F15_pence.csv",
    "F18_negative_oil.csv",
    "F19_peg.csv",
    "F20c_stale_end.csv",
    "F21b_shib_fixed.csv",
    "F22_400.csv",
    "F23_5min.csv",
    "F23g_hour_overnight.csv",
    "F25_exog.csv",
    "F26c_panel_ends.csv",
    "F26d_wide.csv",
    "F29b_quarter.csv",
    "F30_sun_thu.csv",
    "F33_returns.csv",
    "F35_fred.csv",
    "F38b_multi.parquet",
    "F42_floor.csv",
    "climate/oisst82.csv",
    "climate/noleap.nc",
    "climate/nina34.data",
    "climate/quarterly.csv",
    "climate/rain.csv",
)
"""One file a kind, which ``basin forecast`` forecasts with one seed."""

COMMANDS = (
    ("P_split1100.csv", ("forecast", "--seeds", "1")),
    ("P_split1100.csv", ("forecast", "--horizon", "10")),
    ("P_split1100.csv", ("alarm", "--event", "min<=-0.08@21")),
    ("P_split1100.csv", ("audit",)),
    ("F03_investing.csv", ("audit",)),
    ("F05g_mon_name.csv", ("audit",)),
    ("F04_german.csv", ("backtest", "--seeds", "1")),
    ("climate/oisst82.csv", ("backtest", "--seeds", "1")),
    ("F33_returns.csv", ("backtest", "--seeds", "1")),
    ("F23g_hour_overnight.csv", ("backtest", "--seeds", "1")),
)
"""Commands that fit or audit, each on a file."""

REFUSED = (
    ("F05b_dmy_monthly.csv", ("forecast",)),
    ("F05b_dmy_monthly.csv", ("audit",)),
    ("F22_0.csv", ("backtest",)),
    ("F22_50.csv", ("forecast",)),
    ("F22_50.csv", ("alarm", "--event", "min<=-0.08@21")),
    ("F19b_constant.csv", ("backtest",)),
    ("climate/ens.nc", ("forecast",)),
    ("clean1100.csv", ("forecast", "--horizon", "1000")),
    ("exog1100.csv", ("forecast", "--horizon", "10", "--exog", "VIX")),
)
"""Bad files or options, with the command that must refuse them."""

SECONDS = 5.0
"""Most seconds to the line of a refusal."""


def cases() -> Iterator[Row]:
    """Read, forecast and refuse the files of a folder, and compare each outcome with the right one."""
    given = os.environ.get("BASIN_CASES")
    if not given:
        raise BasinError("BASIN_CASES is not set; set it to the folder with expected.json and its scripts")
    folder = Path(given).resolve()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with TemporaryDirectory() as written:
        files = Path(written)
        for script, into in SCRIPTS.items():
            command = [sys.executable, str(folder / script), str(files / into)]
            subprocess.run(command, check=True, capture_output=True)
        wrong = {name: fault for name, entry in expected.items() if (fault := judged(files / name, entry))}
        yield counted("files of expected.json: right, or refused as it says", len(expected), wrong)
        options = {name: _options(entry) for name, entry in expected.items()}
        runs = [(name, ("forecast", "--seeds", "1")) for name in FORECAST] + list(COMMANDS)
        wrong = {}
        for name, command in runs:
            fault = ran(files / name, (*command, *options.get(name, ())), files / "out")
            if fault:
                wrong[f"{name} {command[0]}"] = fault
        yield counted(
            "commands on one file a kind: they end well and print no traceback or warning", len(runs), wrong
        )
        slow, wrong = 0.0, {}
        for name, command in REFUSED:
            began = time.monotonic()
            fault = refused(files / name, command, files / "out")
            slow = max(slow, time.monotonic() - began)
            if fault:
                wrong[f"{name} {' '.join(command)}"] = fault
        yield counted("bad files and options: one line, exit code 1, nothing written", len(REFUSED), wrong)
        yield Row(
            "slowest of these lines",
            f"≤ {SECONDS:g} s",
            f"{slow:.1f} s",
            slow <= SECONDS,
            value=slow,
            unit="s",
        )


def counted(what: str, total: int, wrong: dict[str, str]) -> Row:
    first = "; ".join(f"{name}: {fault}" for name, fault in list(wrong.items())[:5])
    measured = f"{total - len(wrong)} of {total}" + (f"; {first}" if first else "")
    return Row(what, f"{total} of {total}", measured, not wrong)


def judged(path: Path, entry: dict[str, Any]) -> str | None:
    """Return what is wrong about the reading of a file, or None."""
    if path.parent.name == "fields":
        return _judged_field(path, entry)
    drop = "drop" in entry or entry.get("without_drop") == "refuse"
    kind: Any = entry.get("with_option", "").removeprefix("--kind ") or None
    exog = tuple(entry.get("exog", ()))
    strict = Request(exog=exog, all_targets="targets" in entry)
    if (entry.get("without_drop") or entry.get("without_option")) and isinstance(
        _inspected(path, strict), Inspection
    ):
        return "read without the option that it needs"
    request = Request(
        exog=exog, all_targets="targets" in entry, kind=kind, on_bad_row="drop" if drop else "stop"
    )
    found = _inspected(path, request)
    if entry["outcome"] == "either":
        return None
    if isinstance(found, str):
        return None if entry["outcome"] == "refuse" else found
    if entry["outcome"] == "refuse":
        said = found.refusal or any("missing value" in note for note in found.notes)
        return None if said else "read, expected a refusal"
    return _differs(found, entry)


def _judged_field(path: Path, entry: dict[str, Any]) -> str | None:
    try:
        open_fields(path)
    except BasinError as error:
        return None if entry["outcome"] == "refuse" else str(error)
    return None if entry["outcome"] == "read" else "read, expected a refusal"


def _inspected(path: Path, request: Request) -> Inspection | str:
    try:
        return inspect(path, request)
    except BasinError as error:
        return str(error) if "\n" not in str(error) else "a message of several lines"


def _differs(found: Inspection, entry: dict[str, Any]) -> str | None:
    reading, table = found.reading, found.reading.table
    measured = {
        "kind": reading.kind,
        "freq": reading.freq,
        "rows": len(table),
        "first": stamp(table["time"].min())[:10],
        "last": stamp(table["time"].max())[:10],
        "time": reading.time,
        "target": reading.targets[0],
        "targets": list(reading.targets),
        "series": reading.series,
        "exog": list(reading.exog),
        "unit": reading.unit,
        "drop": reading.left_out,
    }
    for key, value in measured.items():
        if entry.get(key) is not None and entry[key] != value:
            return f"{key} {value}, expected {entry[key]}"
    following = entry.get("next", "")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", following) and found.rows["next date"] != following:
        return f"next date {found.rows['next date']}, expected {following}"
    warned = " ".join(found.warnings)
    numbers = re.findall(r"\d+", entry.get("warn", ""))
    if "warn" in entry and (not warned or not all(number in warned for number in numbers)):
        return f"warned {warned or 'of nothing'}, expected {entry['warn']}"
    return None


def _options(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return the options of a command that a file needs."""
    options: tuple[str, ...] = ()
    if "drop" in entry or entry.get("without_drop") == "refuse":
        options += ("--on-bad-row", "drop")
    if "targets" in entry:
        options += ("--targets", "all")
    if "with_option" in entry:
        options += tuple(entry["with_option"].split())
    for column in entry.get("exog", ()):
        options += ("--exog", column)
    return options


def ran(path: Path, command: tuple[str, ...], out: Path) -> str | None:
    """Run a command and return what is wrong about its end, or None."""
    name, *options = command
    if name == "audit":
        options = []
    done = _basin(name, path, options, out)
    if done.returncode and not (name == "audit" and "the audit failed" in done.stderr):
        return (
            done.stderr.strip().splitlines()[-1][:200]
            if done.stderr.strip()
            else f"exit code {done.returncode}"
        )
    return _noise(done.stderr)


def refused(path: Path, command: tuple[str, ...], out: Path) -> str | None:
    """Run a command that must refuse, and return what is wrong about its refusal, or None."""
    name, *options = command
    done = _basin(name, path, options, out)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode != 1 or len(lines) != 1 or not lines[0].startswith("basin: "):
        return f"exit code {done.returncode}, {len(lines)} lines"
    return f"{out.name} was written" if out.exists() else None


def _basin(name: str, path: Path, options: list[str], out: Path) -> subprocess.CompletedProcess[str]:
    subprocess.run(["rm", "-rf", str(out)], check=True)
    command = [
        str(Path(sys.executable).with_name("basin")),
        name,
        "--data",
        str(path),
        "--out",
        str(out),
        "--quiet",
        *options,
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)


def _noise(stderr: str) -> str | None:
    """Return the first line on stderr that is not Basin's, or None."""
    others = [line for line in stderr.splitlines() if line.strip() and not line.startswith("basin: ")]
    return f"printed {others[0][:150]!r}" if others else None
