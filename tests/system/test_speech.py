"""Speech from a folder of a user's own recordings, without the catalog's data."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.applications.speech import application
from tasks.applications.speech.spectrograms import read_folder

RATE = 8000


def word(pitch: float, rising: bool, rng: np.random.Generator) -> np.ndarray:
    """0.3 s of a glide up or down, from 300 Hz times ``pitch``, in noise."""
    time = np.arange(int(0.3 * RATE)) / RATE
    glide = 300 * pitch * np.exp((1 if rising else -1) * 4 * (time - 0.15))
    sound = np.sin(2 * np.pi * np.cumsum(glide) / RATE) + 0.05 * rng.standard_normal(len(time))
    return (8000 * sound).astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    found = tmp_path / "recordings"
    found.mkdir()
    for speaker, pitch in (("anna", 1.4), ("ben", 1.0), ("carl", 1.2)):
        for label, rising in (("up", True), ("down", False)):
            for n in range(12):
                wavfile.write(found / f"{label}_{speaker}_{n}.wav", RATE, word(pitch, rising, rng))
    return found


def run(folder: Path, out: Path, *more: str) -> tuple[int, str]:
    given = ["run", "--domain", "speech", "--data", str(folder), "--out", str(out), *more]
    result = CliRunner().invoke(app, given)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.slow
def test_recordings_become_scores_of_each_speaker_beside_every_peer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "STEPS", 40)
    code, said = run(folder, tmp_path / "out", "--seeds", "1")
    assert code == 0, said
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert set(scores["groups"]) == {"anna", "ben", "carl"}
    assert scores["models"]["ebm"]["accuracy"] > 0.8
    assert {"cnn", "cnn-specaugment", "svm", "warps-only"} <= set(scores["paired"])
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_recording_that_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    good = folder / "up_anna_0.wav"
    sound = wavfile.read(good)[1]
    spoiled = {
        "16000 Hz, expected 8000": (16000, sound),
        "2 channels, expected one": (RATE, np.stack([sound, sound], 1)),
        "0.000 s of sound": (RATE, sound[:0]),
        "silent or not finite": (RATE, np.zeros_like(sound)),
    }
    for said, (rate, content) in spoiled.items():
        wavfile.write(good, rate, content)
        code, output = run(folder, tmp_path / "out")
        assert code == 1 and said in output and "up_anna_0.wav" in output, output
    good.write_bytes(b"")
    code, output = run(folder, tmp_path / "out")
    assert code == 1 and "up_anna_0.wav: is empty; record it again or remove it" in output
    good.write_bytes(b"RIFF, but no more")
    code, output = run(folder, tmp_path / "out")
    assert code == 1 and "not readable as WAV" in output


def test_one_word_or_one_speaker_only_is_one_line(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("down_*.wav"):
        path.unlink()
    code, output = run(folder, tmp_path / "out")
    assert code == 1 and "one label only (up)" in output
    code, output = run(tmp_path / "nothing", tmp_path / "out")
    assert code == 1


@pytest.mark.parametrize(
    ("accuracy", "first", "second"),
    [
        (
            1.0,
            "0.0 % errors, where the same network with SpecAugment makes none",
            "it makes no errors, the energy 0.0 %",
        ),
        (
            0.5,
            "100 % fewer errors than the same network",
            "the energy makes 100 % fewer errors than that, not significant",
        ),
    ],
)
def test_the_notes_state_no_share_of_no_errors_and_a_limit_only_where_it_cut(
    folder: Path, accuracy: float, first: str, second: str
) -> None:
    peers = {name: {"accuracy": accuracy} for name in ("cnn-specaugment", "warps-only")}
    gain = {"gain": 1 - accuracy, "interval": [0.0, 1 - accuracy]}
    scores = {
        "models": {"ebm": {"accuracy": 1.0}, **peers},
        "paired": {name: {"accuracy": gain} for name in peers},
    }
    said = application.APPLICATION.notes(read_folder(folder, 12), scores)
    assert said[0].startswith(first) and second in said[1]
    assert said[3].startswith("3 speakers. The intervals")
    cut = application.APPLICATION.notes(read_folder(folder, 11), scores)[3]
    assert cut.startswith(
        "3 speakers, at most 50 recordings per word and speaker (6 left out). The intervals"
    )
