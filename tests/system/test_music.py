"""Music from a user's own files, without the catalog's data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from flows.cli.app import app


def listens(seed: int = 0) -> pd.DataFrame:
    """Users of three tastes, each with artists mostly of their own."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(60):
        weight = np.where(np.arange(60) // 20 == user % 3, 8.0, 1.0) / (1 + np.arange(60) % 20)
        for item in rng.choice(60, 14, replace=False, p=weight / weight.sum()):
            rows.append((f"u{user}", f"a{item}", int(rng.integers(1, 200))))
    return pd.DataFrame(rows, columns=["user", "item", "count"])


@pytest.mark.slow
def test_listens_become_scores_beside_every_peer(tmp_path: Path) -> None:
    listens().to_csv(tmp_path / "listens.csv", index=False)
    out = tmp_path / "out"
    given = ["--data", str(tmp_path / "listens.csv"), "--seeds", "2", "--out", str(out)]
    result = CliRunner().invoke(app, ["run", "--domain", "music", *given])
    assert result.exit_code == 0, result.output
    scores = json.loads((out / "scores.json").read_text())
    assert scores["models"]["ebm"]["ndcg@10"] > scores["models"]["popularity"]["ndcg@10"]
    assert {"ease", "als", "item-knn", "linear-pool"} <= set(scores["paired"])
    assert (out / "report.html").is_file() and (out / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not readable as CSV"),
        ("user,item\n", "no rows"),
        ("who,what\na,b\n", "expected columns user,item"),
        ("user,item,count\na,b,many\n", "row 2: count 'many'"),
        ("user,item\na,b\n", "bad.csv: 1 user and 1 item; expected 20 of each"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    given = ["--data", str(tmp_path / "bad.csv"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["run", "--domain", "music", *given])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())


def test_a_user_without_history_is_named(tmp_path: Path) -> None:
    listens().to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "test.csv").write_text("user,item\nnobody,a1\n")
    given = ["--train", str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv")]
    result = CliRunner().invoke(app, ["run", "--domain", "music", *given, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "user nobody" in " ".join(result.output.split())
