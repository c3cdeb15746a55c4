"""What all commands share: ``--json``, ``--quiet``, examples, errors of usage and tables that are not cut."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from rich.console import Console
from typer.testing import CliRunner

from flows.cli.app import app
from flows.cli.display import Display, about
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency

GROUP = typer.main.get_command(app)


def commands(group: Any = GROUP, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [f"2020-01-{day:02d},{100 + 7 * day**2 % 31}" for day in range(1, 29)]
    Path("prices.csv").write_text("\n".join(("day,close", *rows)))
    return tmp_path


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_shows_examples_that_the_command_accepts(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # an example is not wrapped
    shown = CliRunner().invoke(app, [*path, "--help"]).stdout
    _, _, block = shown.partition("Examples:")
    examples = [shlex.split(line) for line in block.splitlines() if line.strip()]
    assert 1 <= len(examples) <= 3
    for _, *words in examples:
        assert tuple(words[: len(path)]) == path
        COMMANDS[path].make_context(path[-1], words[len(path) :])  # raises if the options are wrong


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_is_not_cut_in_80_columns(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "…" not in CliRunner().invoke(app, [*path, "--help"]).stdout


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != ("serve",)], ids=" ".join)
def test_every_command_that_ends_has_the_options_of_its_output(path: tuple[str, ...]) -> None:
    names = {name for parameter in COMMANDS[path].params for name in parameter.opts}
    assert {"--json", "--quiet"} <= names


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("forcast", "no command forcast; did you mean forecast?"),
        ("models lst", "no command lst; did you mean list?"),
        ("xyzzy", "no command xyzzy; see `basin --help`"),
        ("backtest --targt x", "no option --targt; did you mean --target?"),
        ("field fit --epoch 3", "no option --epoch; did you mean --epochs?"),
        (
            "stage train",
            "missing option --domain (Domain listed in params.yaml, e.g. finance); for example `",
        ),
        (
            "models show",
            "missing argument domain (Domain listed in params.yaml, e.g. finance); for example `",
        ),
        ("inspect --data", "--data needs a value; write it after --data"),
        ("inspect --data a.csv b.csv", "unexpected argument (b.csv); for example `basin inspect --data"),
        ("run --seeds many", "--seeds many: expected a valid integer; see `basin run --help`"),
        ("forecast --horizon five", "--horizon five: expected a valid integer; see `basin forecast --help`"),
        ("forecast --targets some", "--targets some: expected one of all; see `basin forecast --help`"),
        (
            "tune --domain x --trials 1",
            "--trials 1: expected greater than or equal to 2; for example `basin tune --domain",
        ),
    ],
)
def test_an_error_of_usage_is_one_line_with_a_remedy(words: str, line: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 2
    assert done.stderr.startswith(f"basin: {line}")
    assert done.stderr.count("\n") == 1 and not done.stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("inspect --data prices.csv --kind prise", "price"),
        ("inspect --data prices.csv --freq monthly", "MS"),
        ("inspect --data prices.csv --on-bad-row interpolat", "interpolate"),
        ("inspect --data prices.csv --calendar XNYSE", "XNYS"),
        ("inspect --data prices.csv --target Clos", "close"),
        ("audit --data prices.csv --out new --target clos", "close"),
        ("validate --data prices.csv --propose suite.json --key daay", "day"),
        ("forecast --data prices.csv --out new --accept coverag=holiday-week", "coverage"),
        ("run --domain anomly --data prices.csv --out new", "anomaly"),
    ],
)
def test_an_unknown_value_is_answered_by_the_nearest_known_one(prices: Path, words: str, meant: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith(f"; did you mean {meant}?")
    assert [path.name for path in prices.iterdir()] == ["prices.csv"]


@pytest.mark.parametrize(("given", "meant"), [("daily", "D"), ("d", "D"), ("M", "MS"), ("q", "QS")])
def test_other_names_of_frequencies_are_answered_by_the_known_ones(given: str, meant: str) -> None:
    with pytest.raises(BasinError, match=rf"; did you mean {meant}\?$"):
        frequency(given)


def test_json_is_all_that_stdout_has_and_equals_the_file(prices: Path) -> None:
    given = ["--data", "prices.csv", "--json"]
    done = CliRunner().invoke(app, ["audit", *given, "--out", "audit"])
    found = json.loads(done.stdout)
    assert found == json.loads(Path("audit/audit.json").read_text())
    assert "audit" in done.stderr  # the progress
    failed = [check["id"] for check in found["checks"] if check["status"] == "fail"]
    assert done.exit_code == bool(failed)

    understood = json.loads(CliRunner().invoke(app, ["inspect", *given]).stdout)
    assert understood["target"].startswith("column close") and understood["refusal"]

    done = CliRunner().invoke(app, ["validate", *given, "--propose", "suite.json"])
    assert json.loads(done.stdout) == json.loads(Path("suite.json").read_text())


def test_a_file_that_fails_its_suite_is_printed_as_json_and_ends_with_exit_code_1(prices: Path) -> None:
    CliRunner().invoke(app, ["validate", "--data", "prices.csv", "--propose", "suite.json"])
    text = Path("prices.csv").read_text()
    Path("new.csv").write_text(text.replace("2020-01-05,", "2020-01-05,-"))
    asked = [
        "validate",
        "--data",
        "new.csv",
        "--suite",
        "suite.json",
        "--out",
        "checked",
        "--json",
        "--quiet",
    ]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert json.loads(done.stdout) == json.loads(Path("checked/validation.json").read_text())
    assert done.stderr.count("\n") == 1


def test_quiet_shows_no_progress(prices: Path) -> None:
    asked = ["audit", "--data", "prices.csv", "--out", "audit", "--overwrite"]
    shown = CliRunner().invoke(app, asked)
    quiet = CliRunner().invoke(app, [*asked, "--quiet"])
    assert shown.stdout == quiet.stdout
    assert "audit" in shown.stderr.splitlines()[0] and "\n\n" not in shown.stderr
    assert all(line.startswith("basin: ") for line in quiet.stderr.splitlines())


def test_a_table_is_not_cut_in_a_pipe_and_wrapped_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns, rows = ("check", "finding"), [("look-ahead", "word " * 60 + "end")]
    display = Display()
    display.table(columns, rows)
    _, line = capsys.readouterr().out.splitlines()
    assert line.split() == " ".join(rows[0]).split()

    display.console = Console(width=40, file=(narrow := io.StringIO()))
    display.table(columns, rows)
    assert "…" not in narrow.getvalue()
    assert re.sub(r"\s+", " ", narrow.getvalue()).count("word") == 60
    assert max(map(len, narrow.getvalue().splitlines())) <= 40


def test_without_colours_if_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured, plain = [], []
    for shown in (coloured, plain):
        with Display() as display:
            display.ended("train", "finance", "ran", 1.0)
        shown.append(capsys.readouterr().err)
        monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" in coloured[0] and "\x1b[32m" not in plain[0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4, "about 10 seconds"), (52, "about 50 seconds"), (70, "about 1 minute"), (5000, "about 1 hour")],
)
def test_durations_are_rounded(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_a_long_run_begins_with_its_expected_duration(capsys: pytest.CaptureFixture[str]) -> None:
    stages = Display().stages("prices")
    stages.expect(12)
    assert capsys.readouterr().err == ""
    stages.expect(119)
    assert capsys.readouterr().err == "prices   takes about 2 minutes\n"


def test_the_exit_codes_are_in_the_help() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for code in (0, 1, 2, 130):
        assert re.search(rf"^\s*{code}\s+\w", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--exog a --exog b", ["a", "b"]),
        ("--exog a b", ["a", "b"]),
        ("--exog a,b", ["a", "b"]),
        ("--exog a, b", ["a", "b"]),
        ("--exog 'a, in USD' b", ["a, in USD", "b"]),
    ],
)
def test_names_are_listed_in_every_form_and_may_have_a_comma(words: str, names: list[str]) -> None:
    given = ["--data", "prices.csv", "--out", "out", *shlex.split(words)]
    assert COMMANDS[("backtest",)].make_context("backtest", given).params["exog"] == names


def test_a_wrong_calendar_is_refused_before_the_file_is_read(prices: Path) -> None:
    done = CliRunner().invoke(app, ["inspect", "--data", "absent.csv", "--calendar", "XNYZ"])
    assert done.exit_code == 1
    assert (
        done.stderr.startswith("basin: --calendar XNYZ: no such exchange; expected") and "XNYS" in done.stderr
    )


@pytest.mark.parametrize(
    ("given", "words"), [(["--data", "prices.csv", "--domain", "finance"], "not both"), ([], "neither")]
)
def test_a_forecast_is_of_a_domain_or_of_a_file(given: list[str], words: str, prices: Path) -> None:
    done = CliRunner().invoke(app, ["forecast", *given, "--out", "out"])
    assert done.exit_code == 1 and words in done.stderr
