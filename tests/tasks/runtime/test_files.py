"""Atomic writing of files and folders."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json, scratch, write_json


def test_a_failed_block_leaves_the_last_good_outputs_and_no_remains(tmp_path: Path) -> None:
    table, folder = tmp_path / "table", tmp_path / "folder"
    table.write_text("good")
    folder.mkdir()
    (folder / "model").write_text("good")
    with pytest.raises(RuntimeError), atomic_write(table, folder) as (new_table, new_folder):
        new_table.write_text("half")
        new_folder.mkdir()
        (new_folder / "model").write_text("half")
        raise RuntimeError("killed")
    assert table.read_text() == (folder / "model").read_text() == "good"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "table"]


def test_a_finished_block_replaces_files_and_folders(tmp_path: Path) -> None:
    table, folder = tmp_path / "new" / "table", tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("old")
    with atomic_write(table, folder) as (new_table, new_folder):
        new_table.write_text("new")
        new_folder.mkdir()
        (new_folder / "new").write_text("new")
    assert table.read_text() == "new"
    assert [p.name for p in folder.iterdir()] == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "new"]


def test_a_finished_block_replaces_a_file_by_a_folder_and_a_link_but_not_what_it_points_to(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "file").write_text("old")
    with atomic_write(tmp_path / "link", tmp_path / "file") as temporaries:
        for temporary in temporaries:
            temporary.mkdir()
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "file").is_dir()
    assert (tmp_path / "mine" / "notes").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "link", "mine"]


def test_nothing_is_renamed_when_one_output_was_not_written(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("good")
    second.write_text("good")
    with pytest.raises(BasinError), atomic_write(first, second) as (new_first, _):
        new_first.write_text("new")
    assert first.read_text() == second.read_text() == "good"


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with (
        pytest.raises(BasinError, match=r"cannot write .*data.*make the folder writable"),
        atomic_write(tmp_path / "data" / "raw" / "finance.parquet"),
    ):
        pass


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_place_where_no_folder_can_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(BasinError, match="cannot write /proc/x"), atomic_write(Path("/proc/x/scores.json")):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(BasinError, match="cannot write"), atomic_write(tmp_path / "out") as (temporary,):
            temporary.write_text("x")
    finally:
        tmp_path.chmod(0o755)


def test_json_that_cannot_be_read_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("{")
    for name, found in (("gone", "is missing"), ("broken", "is not valid JSON"), ("", "cannot read")):
        with pytest.raises(BasinError, match=rf"{found}.*; give a suite$"):
            read_json(tmp_path / name, "give a suite")


def test_json_is_the_same_bytes_each_time_and_holds_no_nan(tmp_path: Path) -> None:
    content = {"b": [1, 0.1], "a": None}
    write_json(tmp_path / "1.json", content)
    write_json(tmp_path / "2.json", json.loads((tmp_path / "1.json").read_text()))
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert read_json(tmp_path / "1.json") == content
    with pytest.raises(ValueError):
        write_json(tmp_path / "3.json", {"score": math.nan})


def test_a_missing_or_broken_json_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BasinError, match=r"scores\.json is missing; run the stage"):
        read_json(tmp_path / "scores.json")
    (tmp_path / "scores.json").write_text('{"n": ')
    with pytest.raises(BasinError, match=r"scores\.json is not valid JSON"):
        read_json(tmp_path / "scores.json")


def test_what_a_killed_process_left_is_swept_and_a_living_ones_work_is_not(tmp_path):
    target = tmp_path / "table.json"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = (tmp_path / f".table.json.{pid}.tmp" for pid in (ended.pid, os.getppid()))
    for left in (dead, alive):
        left.write_text("half")
    with atomic_write(target) as (temporary,):
        temporary.write_text("{}")
    assert not dead.exists()
    assert alive.exists()


def test_scratch_leaves_nothing_but_what_was_put_beside_it(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with scratch(tmp_path / "kept"):
        (tmp_path / "kept" / "result").write_text("whole")
        (tmp_path / "kept" / f".scratch.{ended.pid}.tmp").mkdir()
    (tmp_path / "kept" / f".scratch.{os.getpid()}.tmp").mkdir()  # of a killed process with our number
    with scratch(tmp_path / "kept"), pytest.raises(BasinError, match=r"cannot write .*result"):
        scratch(tmp_path / "kept" / "result").__enter__()
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["result"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_temporary_file_and_the_earlier_results(tmp_path, number):
    script = """
import os, signal, sys
from pathlib import Path
from flows.cli.errors import one_line_errors
from tasks.runtime.files import atomic_write, scratch
from tasks.runtime.outputs import claim

out = Path(sys.argv[1])
with one_line_errors(), claim(out, "backtest", ("scores.json",), overwrite=True), scratch(out) as work:
    (work / "validation.json").write_text("{}")
    (work / "data").mkdir()
    (work / "data/raw.parquet").write_text("x")
    with atomic_write(out / "scores.json") as (scores,):
        scores.write_text("half")
        if sys.argv[3] == "fork" and os.fork() == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        if sys.argv[3] == "fork":
            assert os.wait()[1] and work.exists() and scores.exists()
        os.kill(os.getpid(), int(sys.argv[2]))
"""
    for name, files in (("new", {}), ("mine", {"scores.json": "mine"})):
        for fork in ("", "fork"):
            out = tmp_path / (name + fork)
            if files:
                out.mkdir()
            for file, content in files.items():
                (out / file).write_text(content)
            done = subprocess.run(
                [sys.executable, "-c", script, str(out), str(number.value), fork],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 128 + number, done.stderr
            assert done.stderr.splitlines()[-1] == "basin: stopped; no result was changed"
            left = {path.name: path.read_text() for path in out.iterdir()} if out.exists() else {}
            left.pop(".basin.json", None)
            assert left == files
            assert out.exists() == bool(files)
