"""The `basin` command and `python -m tasks` start quickly and report errors in one line."""

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

HEAVY = {
    "torch",
    "great_expectations",
    "ray",
    "prefect",
    "dvc",
    "arch",
    "pandas",
    "numpy",
    "matplotlib",
    "pydantic",
}


def python(*arguments: str, root: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | variables
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True
    )


def basin(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    return python("-c", "from flows.cli.app import app; app()", *arguments, root=root)


def test_help_names_the_commands_and_imports_nothing_heavy(project_root: Path) -> None:
    script = (
        "import sys; from flows.cli.app import app; app(standalone_mode=False)\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = python("-c", script, "--help", root=project_root)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("run", "stage", "forecast", "report"))
    assert done.stdout.endswith("HEAVY []\n")


def test_version_is_that_of_the_package_and_imports_nothing_heavy(project_root: Path) -> None:
    script = (
        "import sys; from flows.cli.app import app; app(standalone_mode=False)\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = python("-c", script, "--version", root=project_root)
    assert done.stdout == f"{version('basin')}\nHEAVY []\n", done.stderr


def test_completion_is_installed_for_a_shell_and_completes_commands(tmp_path: Path) -> None:
    # The shell is named, because in CI there may be none that could be detected.
    environment = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = "from flows.cli.app import app; app(prog_name='basin')"
    shown = python("-c", script, "--show-completion", "bash", root=tmp_path, **environment)
    assert "complete -o default -F _basin_completion basin" in shown.stdout, shown.stderr
    installed = python("-c", script, "--install-completion", "bash", root=tmp_path, **environment)
    assert installed.returncode == 0, installed.stderr
    assert (tmp_path / ".bash_completions/basin.sh").read_text().strip() == shown.stdout.strip()
    asked = {"_BASIN_COMPLETE": "complete_bash", "COMP_WORDS": "basin fore", "COMP_CWORD": "1"}
    assert python("-c", script, root=tmp_path, **asked).stdout.split() == ["forecast"]


@pytest.fixture
def params(tmp_path: Path, project_root: Path) -> dict:
    return yaml.safe_load((project_root / "params.yaml").read_text())


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("basin: ")
    return line


ENTRY_POINTS = pytest.mark.parametrize(
    "entry_point",
    [
        lambda root: basin("run", "--root", str(root), root=root.parent),
        lambda root: basin("stage", "ingest", "--domain", "finance", "--root", str(root), root=root.parent),
        lambda root: python("-m", "tasks", "ingest", "--domain", "finance", root=root),
    ],
    ids=["basin run", "basin stage", "python -m tasks"],
)


@ENTRY_POINTS
def test_an_unknown_key_ends_every_entry_point_with_one_line(
    tmp_path: Path, params: dict, entry_point
) -> None:
    params["finance"]["train"]["sedes"] = 5
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    line = one_line(entry_point(tmp_path))
    assert f"{tmp_path / 'params.yaml'}: unknown key `finance.train.sedes`" in line


@ENTRY_POINTS
def test_a_folder_without_params_is_named(tmp_path: Path, entry_point) -> None:
    assert f"{tmp_path / 'params.yaml'} is missing" in one_line(entry_point(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p["finance"]["train"].update(seeds=0),
            "`finance.train.seeds` = 0: expected greater than",
        ),
        (lambda p: p["finance"].pop("split"), "`finance.split`"),
        (
            lambda p: p.update(domains={"climate": "levels"}),
            "`domains` does not list `finance`; expected one of climate",
        ),
        (lambda p: p["finance"]["ingest"].update(as_of="soon"), "`finance.ingest.as_of` = 'soon'"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, params: dict, change, message: str) -> None:
    change(params)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    done = basin("stage", "ingest", "--domain", "finance", "--root", str(tmp_path), root=tmp_path)
    assert message in one_line(done)


def test_dates_without_quotes_are_refused_since_dvc_would_not_read_them(
    tmp_path: Path, project_root: Path
) -> None:
    text = (project_root / "params.yaml").read_text().replace('as_of: "2018-12-31"', "as_of: 2018-12-31")
    (tmp_path / "params.yaml").write_text(text)
    done = basin("stage", "ingest", "--domain", "finance", "--root", str(tmp_path), root=tmp_path)
    assert '`finance.ingest.as_of`: write the date in quotes, "2018-12-31"' in one_line(done)


def test_an_unknown_stage_or_domain_is_named(project_root: Path) -> None:
    done = basin("stage", "trian", "--domain", "finance", root=project_root)
    assert "unknown stage `trian`; expected one of ingest, validate" in one_line(done)
    assert "`domains` does not list `weather`; expected one of finance, climate" in one_line(
        basin("stage", "train", "--domain", "weather", root=project_root)
    )


STOPPED_WHILE_IMPORTED = """
import os, signal, sys
from flows.cli.main import main
class Stop:
    def find_spec(self, name, path, target=None):
        if name == "flows.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Stop())
main()
"""


def test_ctrl_c_while_modules_are_imported_prints_no_traceback(tmp_path: Path) -> None:
    ended = python("-c", STOPPED_WHILE_IMPORTED, root=tmp_path)
    assert ended.returncode == -signal.SIGINT and ended.stderr == ""
