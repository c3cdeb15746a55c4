"""Both applications of pictures as a user runs them, on small samples made here; no download."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.applications.images import joint_energy
from tasks.applications.mri import application


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["run", *arguments])
    return done.exit_code, done.output


def bars(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Upright and lying bars of 8 × 8, under a little noise."""
    label = np.arange(count) % 2
    pictures = 0.1 * rng.random((count, 8, 8))
    for i, lying in enumerate(label):
        at = rng.integers(2, 5)
        if lying:
            pictures[i, at : at + 2, 1:7] += 0.8
        else:
            pictures[i, 1:7, at : at + 2] += 0.8
    return pictures, label


def heads(rng: np.random.Generator, count: int) -> np.ndarray:
    """Discs of smooth texture on black."""
    down, across = np.indices((64, 64)) - 32
    disc = np.hypot(down, across) < 26
    texture = ndimage.gaussian_filter(rng.normal(size=(count, 64, 64)), (0, 3, 3))
    return np.clip(disc * (0.5 + 4 * texture), 0, 1)


class Learned(NamedTuple):
    """A run of an application: its examples, its folder and what it said."""

    data: Path
    out: Path
    said: str


def learn(domain: str, data: Path) -> Learned:
    out = data.parent / "out"
    code, said = run("--domain", domain, "--data", str(data), "--out", str(out), "--seeds", "1")
    assert code == 0, said
    return Learned(data, out, said)


def learned_images(folder: Path) -> Learned:
    """`images` on a few bars and epochs; ``tests/system/conftest.py`` shares it."""
    pictures, label = bars(np.random.default_rng(0), 120)
    np.savez(folder / "bars.npz", X=pictures, y=label)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint_energy, "EPOCHS", 4)
        return learn("images", folder / "bars.npz")


def learned_scans(folder: Path) -> Learned:
    """`mri` on a few heads and steps; ``tests/system/conftest.py`` shares it."""
    np.savez(folder / "heads.npz", X=heads(np.random.default_rng(0), 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "STEPS", 5)
        return learn("mri", folder / "heads.npz")


@pytest.mark.slow
def test_images_of_a_user(images: Learned) -> None:
    scores = json.loads((images.out / "scores.json").read_text())
    assert {"ebm", "svm", "cnn", "knn"} == set(scores["models"])
    assert scores["models"]["ebm"]["accuracy"] > 0.95
    assert scores["models"]["ebm"]["auroc_shuffled"] > 0.95
    assert {"model", "report.html", "landscape", "audit.json"} <= {p.name for p in images.out.iterdir()}


@pytest.mark.slow
def test_scans_of_a_user(scans: Learned) -> None:
    scores = json.loads((scans.out / "scores.json").read_text())
    assert {"ebm", "pca", "knn", "metadata"} == set(scores["models"])
    assert set(scores["models"]["ebm"]) == {"auroc", "pixel_ap", "dice"}
    assert scores["models"]["metadata"]["auroc"] == pytest.approx(0.5, abs=0.1)
    assert len(scores["groups"]) == 5
    assert "rest on shortcuts" in scans.said


def test_a_corrupt_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "scan.npz").write_bytes(b"no archive")
    for domain in ("images", "mri"):
        code, said = run(
            "--domain", domain, "--data", str(tmp_path / "scan.npz"), "--out", str(tmp_path / "out")
        )
        assert code != 0
        assert "scan.npz" in said and "Traceback" not in said
