"""Folders of results: nothing is replaced that the same command did not write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json
from tasks.runtime.outputs import MARKER, claim, require_file

NAMES = ("scores.json", "model", "data/raw/own.parquet")


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def write(out: Path, text: str = "basin") -> None:
    with atomic_write(*(out / name for name in NAMES)) as (scores, model, raw):
        scores.write_text(text)
        raw.write_text(text)
        model.mkdir()
        (model / "config.json").write_text(text)


def run(out: Path, command: str = "backtest", overwrite: bool = False, text: str = "basin") -> None:
    with claim(out, command, NAMES, overwrite):
        write(out, text)


def refused(out: Path, *arguments: object) -> str:
    """Return the message of a claim that must be refused and change nothing."""
    before = contents(out)
    with pytest.raises(BasinError) as error, claim(out, *arguments):  # type: ignore[arg-type]
        raise AssertionError("the work began")
    assert contents(out) == before and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("made", [False, True])
def test_a_new_or_empty_folder_and_an_earlier_result_of_the_command_are_used(
    tmp_path: Path, made: bool
) -> None:
    out = tmp_path / "a" / "b"
    if made:
        out.mkdir(parents=True)
        (out / ".gitkeep").write_text("")
    run(out, text="first")
    run(out, text="second")
    assert set(contents(out).values()) - {""} == {"second"}
    listed = read_json(out / MARKER)["files"]
    assert listed == dict.fromkeys(["data/raw/own.parquet", "model/config.json", "scores.json"], "backtest")


@pytest.mark.parametrize("name", ["scores.json", "model/mine.txt", "data/raw/own.parquet", "mine.txt", "x/y"])
def test_a_folder_of_somebody_else_is_refused_with_what_it_holds_and_two_remedies(
    tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    message = refused(out, "backtest", NAMES)
    assert name.split("/")[0] in message and "give" in message and "folder" in message
    assert "add --overwrite" in message
    run(out, overwrite=True)
    kept = {} if name in NAMES else {name: "mine"}
    basin = dict.fromkeys(["data/raw/own.parquet", "model/config.json", "scores.json"], "basin")
    assert contents(out) == basin | kept
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == [MARKER]


def test_a_file_put_into_a_result_later_stays(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    run(tmp_path)
    (tmp_path / "model" / "notes.txt").write_text("mine")
    assert "has model/notes.txt, which `basin backtest` did not write" in refused(tmp_path, "backtest", NAMES)
    run(tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == (tmp_path / "model" / "notes.txt").read_text() == "mine"


def test_the_result_of_another_command_is_not_replaced_but_may_stand_beside(tmp_path: Path) -> None:
    run(tmp_path)
    assert "`basin forecast` did not write" in refused(tmp_path, "forecast", ("forecast.json", "model"))
    with claim(tmp_path, "alarm", ("alarm.json",)):
        (tmp_path / "alarm.json").write_text("alarm")
    run(tmp_path)
    assert "alarm.json" in refused(tmp_path, "backtest", (*NAMES, "alarm.json"))
    run(tmp_path, "forecast", overwrite=True)
    assert set(read_json(tmp_path / MARKER)["files"].values()) == {"alarm", "forecast"}
    assert "scores.json" in refused(tmp_path, "backtest", NAMES)


def test_files_that_the_next_run_does_not_write_are_deleted_if_it_ends_well(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(RuntimeError), claim(tmp_path, "backtest", NAMES):
        raise RuntimeError
    assert (tmp_path / "model" / "config.json").exists()
    with claim(tmp_path, "backtest", NAMES):
        (tmp_path / "scores.json").unlink()
        (tmp_path / "scores.json").write_text("new")
    assert contents(tmp_path) == {"scores.json": "new"}
    assert not (tmp_path / "model").exists() and not (tmp_path / "data").exists()


def test_work_that_fails_leaves_no_new_folder_and_no_claim_on_what_it_did_not_write(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with pytest.raises(RuntimeError), claim(out, "backtest", NAMES):
        raise RuntimeError
    assert not (tmp_path / "a").exists()
    out.mkdir(parents=True)
    for name in ("scores.json", "model"):
        (out / name).write_text("mine")
    with pytest.raises(RuntimeError), claim(out, "backtest", NAMES, True):
        (out / "data" / "raw").mkdir(parents=True)
        raise RuntimeError
    assert contents(out) == {"scores.json": "mine", "model": "mine"}
    assert "has model, scores.json, which" in refused(out, "backtest", NAMES)


def test_a_failure_that_leaves_folders_without_files_can_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), claim(tmp_path / "out", "backtest", NAMES):
        (tmp_path / "out" / "data" / "raw").mkdir(parents=True)
        raise RuntimeError
    run(tmp_path / "out")


KILLED = """
import os, sys
from pathlib import Path
from tasks.runtime.outputs import claim
out = Path(sys.argv[1])
with claim(out, "backtest", ("scores.json", "model", "data/raw/own.parquet"), "overwrite" in sys.argv):
    (out / "model").mkdir(exist_ok=True)
    (out / "model" / "half").write_text("half")
    os._exit(9)
"""


def killed(out: Path, *more: str) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(out), *more]).returncode == 9


def test_a_killed_run_can_be_repeated_but_is_not_a_result_of_another_command(tmp_path: Path) -> None:
    killed(tmp_path / "out")
    assert "model/half" in refused(tmp_path / "out", "forecast", NAMES)
    run(tmp_path / "out")
    assert set(contents(tmp_path / "out").values()) == {"basin"}


def test_a_killed_run_loses_no_file_of_others(tmp_path: Path) -> None:
    mine = {"scores.json": "mine", "model/notes.txt": "mine", "notes.txt": "mine"}
    for name, text in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    killed(tmp_path, "overwrite")
    with pytest.raises(BasinError, match=r"has model/notes\.txt, scores\.json, which"):
        run(tmp_path)
    assert contents(tmp_path) == mine | {"model/half": "half"}
    run(tmp_path, overwrite=True)
    assert contents(tmp_path)["model/notes.txt"] == contents(tmp_path)["notes.txt"] == "mine"


def test_links_are_replaced_and_what_they_point_to_stays(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    for folder in (out, mine):
        folder.mkdir()
    (mine / "notes").write_text("mine")
    (out / "model").symlink_to(mine)
    assert "has model, which" in refused(out, "backtest", NAMES)
    run(out, overwrite=True)
    assert contents(mine) == {"notes": "mine"} and not (out / "model").is_symlink()


def test_folders_where_files_are_written_do_not_lose_their_files(tmp_path: Path) -> None:
    (tmp_path / "scores.json").mkdir()
    (tmp_path / "scores.json" / "mine").write_text("mine")
    run(tmp_path, overwrite=True)
    assert (tmp_path / "scores.json").read_text() == "basin"
    assert "mine" in contents(tmp_path).values()
    run(tmp_path)


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"files": 1}', '{"files": {}, "running": 1}'])
def test_a_file_of_the_name_of_the_marker_that_is_none_is_not_replaced(tmp_path: Path, marker: str) -> None:
    (tmp_path / MARKER).write_text(marker)
    assert MARKER in refused(tmp_path, "backtest", NAMES)
    run(tmp_path, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_that_cannot_be_written_is_one_line_before_any_work(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").write_text("mine")
    message = "is a file, not a folder; give another place"
    assert message in refused(tmp_path / "file", "backtest", NAMES, overwrite)
    assert message in refused(tmp_path / "file" / "out", "backtest", NAMES, overwrite)
    assert "data is a file, not a folder" in refused(tmp_path / "out", "backtest", NAMES, overwrite)
    with pytest.raises(BasinError, match="cannot write"):
        run(tmp_path / ("n" * 300), overwrite=overwrite)
    if Path("/proc").is_dir():
        with pytest.raises(BasinError, match=r"cannot write /proc/x: .*; give another place"):
            run(Path("/proc/x"), overwrite=overwrite)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        for out in (tmp_path, tmp_path / "out"):
            with pytest.raises(BasinError, match="cannot write"):
                run(out)
    finally:
        tmp_path.chmod(0o755)


def test_a_file_is_written_only_where_there_is_none(tmp_path: Path) -> None:
    require_file(tmp_path / "new" / "ahead.nc")
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BasinError, match=r"mine exists already; give another file as --out, or add --overw"):
        require_file(tmp_path / "mine")
    require_file(tmp_path / "mine", overwrite=True)
    for place, message in (
        (tmp_path, "is a folder; give the path of a file as --propose"),
        (tmp_path / "mine" / "ahead.nc", "mine is a file, not a folder"),
        (tmp_path / ("n" * 300), "cannot write"),
    ):
        with pytest.raises(BasinError, match=message):
            require_file(place, overwrite=True, option="--propose")
    assert contents(tmp_path) == {"mine": "mine"}
