"""Benchmarks of music and speech against their peers: ``make bench-music`` and ``make bench-speech``."""

from collections.abc import Iterator
from typing import Any

from benchmarks.applications.applications import measured, over_best_peer, scores_of
from benchmarks.row import Row
from tasks.applications.harness.application import Given


def music() -> Iterator[Row]:
    scores = scores_of("music", Given())
    models = scores["models"]
    for measure in ("ndcg@10", "recall@20"):
        gain, text = _gain(scores, "ease", measure)
        pool, _ = _gain(scores, "linear-pool", measure)
        others = ", ".join(f"{m} {models[m][measure]:.3f}" for m in ("ease", "als", "item-knn"))
        yield Row(
            f"Last.fm, a fifth of each user's artists: {measure}",
            "above EASE, interval above 0",
            f"{models['ebm'][measure]:.3f} ({others}), {text} over EASE, {pool:+.4f} over a linear pool",
            scores["paired"]["ease"][measure]["interval"][0] > 0 and gain > 0,
            value=models["ebm"][measure],
            comparison=over_best_peer(
                "Artists for Last.fm listeners, five splits",
                scores,
                measure,
                {"ndcg@10": "NDCG@10", "recall@20": "recall@20"}[measure],
            ),
        )
    others = ", ".join(
        f"{m} {measured(scores, m, 'cold_auroc')}" for m in ("audio-ridge", "audio-logistic", "tempo")
    )
    found = models["ebm"]["cold_auroc"]
    shown = f"{measured(scores, 'ebm', 'cold_auroc')} ({others})"
    yield Row("artists without listeners: AUROC", "≥ .66", shown, found >= 0.66, found)
    _, text = _gain(scores, "ebm-without-tempo", "cold_auroc")
    yield Row("artists without listeners: AUROC that tempo adds", "shown", text, True)


def speech() -> Iterator[Row]:
    scores = scores_of("speech", Given())
    errors = {model: 1 - of["accuracy"] for model, of in scores["models"].items()}
    paired = scores["paired"]["cnn-specaugment"]["accuracy"]
    fewer, low, high = (value / errors["cnn-specaugment"] for value in (paired["gain"], *paired["interval"]))
    yield Row(
        "spoken digits, speaker held out: errors below SpecAugment's",
        "≥ 20 %",
        f"{100 * fewer:.0f} % ({100 * low:.0f} to {100 * high:.0f}); "
        + ", ".join(f"{model} {error:.3f}" for model, error in errors.items()),
        fewer >= 0.2,
        value=100 * fewer,
        unit="%",
        interval=(100 * low, 100 * high),
    )
    for name, of in scores["groups"].items():
        seen = ", ".join(f"{model} {found['accuracy']:.3f}" for model, found in of.items())
        yield Row(f"spoken digits, {name} held out: accuracy", "shown", seen, True)


def _gain(scores: dict[str, Any], peer: str, measure: str) -> tuple[float, str]:
    found = scores["paired"][peer][measure]
    low, high = found["interval"]
    return found["gain"], f"{found['gain']:+.4f} ({low:+.4f} to {high:+.4f})"


ROWS = {"music": music, "speech": speech}
