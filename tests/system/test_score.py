"""`basin score`: a stored model says of examples what it said when it was learned, and refuses other ones."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.applications.anomaly import application as anomaly
from tests.flows.cli.test_applications import anomalies
from tests.system.test_pictures import Learned


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


def answers(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "answers.csv", index_col="example")


def learn(domain: str, data: Path, *more: object) -> Path:
    out = data.parent / "learned"
    call("run", "--domain", domain, "--data", data, *more, "--seeds", 1, "--out", out)
    return out


def test_rows_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomaly, "EXPLAINED", 10)
    table = anomalies()
    table.to_csv(tmp_path / "table.csv", index=False)
    learned = learn("anomaly", tmp_path / "table.csv", "--label", "broken")
    asked = ("score", "--model", learned / "model", "--out", tmp_path / "scored")
    assert "mean over 1 seed with" in (learned / "report.html").read_text()

    new = table.drop(columns="broken")[list("dcba")]  # the order of columns is the file's own
    new.to_csv(tmp_path / "new.csv", index=False)
    assert "of 160 have a higher energy" in call(*asked, "--data", tmp_path / "new.csv")
    before, after = answers(learned), answers(tmp_path / "scored")
    rows = [int(name.split()[-1]) - 1 for name in before.index]
    np.testing.assert_allclose(after["energy"].iloc[rows], before["energy"], rtol=1e-6)
    broken = table["broken"] == 1
    assert after["p_value"][broken.to_numpy()].median() < 0.05 < after["p_value"][~broken.to_numpy()].median()
    assert after["raised_by"].iloc[after["energy"].argmax()].startswith("c +")
    for folder in (learned, tmp_path / "scored"):  # empty where it is not explained, in both
        said = pd.read_csv(folder / "answers.csv", keep_default_na=False)["raised_by"]
        assert (said == "").any() and not said.isin(["nan", "NaN"]).any()

    for bad, message in (
        (table, "columns differ from those of the model (unknown broken)"),
        (new.drop(columns="a"), "(no a)"),
        (new.assign(a=np.inf), "column a, row 1: 'inf' is not a finite number"),
    ):
        bad.to_csv(tmp_path / "bad.csv", index=False)
        said = call(*asked, "--data", tmp_path / "bad.csv", code=1)
        assert message in said and len(said.splitlines()) == 1
    assert "gone.csv: no such file" in call(*asked, "--data", tmp_path / "gone.csv", code=1)


def test_a_folder_that_holds_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    asked = ("score", "--data", tmp_path / "new.csv", "--out", tmp_path / "out", "--model", tmp_path)
    assert "no config.json; give the folder model/" in call(*asked, code=1)
    for config, message in (
        ("{", "is not valid JSON"),
        ('{"domain": "finance"}', "use `basin forecast --model` for a forecasting model"),
        ('{"application": "music"}', "a model of music cannot score new examples"),
        ('{"application": "images", "signature": {}}', "model.safetensors: not readable"),
    ):
        (tmp_path / "config.json").write_text(config)
        said = call(*asked, code=1)
        assert message in said and len(said.splitlines()) == 1


@pytest.mark.slow
def test_pictures(images: Learned, tmp_path: Path) -> None:
    model = images.out / "model"
    call("score", "--model", model, "--data", images.data, "--out", tmp_path / "scored")
    fold = answers(images.out).iloc[:24]  # the model stored is that of the first fold
    again = answers(tmp_path / "scored").loc[fold.index]
    np.testing.assert_allclose(again["energy"], fold["energy"], rtol=1e-5)
    assert (again["prediction"] == fold["prediction"]).all()
    assert again["p_value"].between(0, 1).all() and (tmp_path / "scored/pictures.png").is_file()
    np.savez(tmp_path / "large.npz", X=np.ones((3, 9, 8)))
    asked = ("score", "--model", model, "--data", tmp_path / "large.npz", "--out", tmp_path / "scored")
    assert "pictures of 8 × 9 pixels; the model expects 8 × 8" in call(*asked, code=1)
    # Tensors of another network are refused in one line.
    shutil.copytree(model, tmp_path / "other")
    config = (tmp_path / "other/config.json").read_text().replace('"sharpness"', '"blunt"')
    (tmp_path / "other/config.json").write_text(config)
    asked = ("score", "--model", tmp_path / "other", "--data", images.data, "--out", tmp_path / "scored")
    assert "do not match this version" in call(*asked, code=1)


@pytest.mark.slow
def test_scans(scans: Learned, tmp_path: Path) -> None:
    call("score", "--model", scans.out / "model", "--data", scans.data, "--out", tmp_path / "scored")
    healthy = answers(scans.out).query("truth == 0")
    again = answers(tmp_path / "scored")
    np.testing.assert_allclose(again.loc[healthy.index, "energy"], healthy["energy"], rtol=1e-5)
    with np.load(tmp_path / "scored/heat_maps.npz") as held:
        assert held["heat"].shape == held["called"].shape == (60, 64, 64)
    assert (tmp_path / "scored/heat_maps.png").is_file()
