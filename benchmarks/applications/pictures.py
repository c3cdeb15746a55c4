"""Benchmarks of images and brain scans against their peers: `make bench-images`, `make bench-mri`."""

from collections.abc import Iterator

from benchmarks.applications.applications import measured, over_best_peer, scores_of
from benchmarks.row import Row
from tasks.applications.harness.application import Given

REFUSED = {"shuffled": 0.99, "inverted": 0.99, "transposed": 0.99, "blend": 0.93}
"""Target for the AUROC of the energy for each kind of picture that is no digit."""


def images() -> Iterator[Row]:
    scores = scores_of("images", Given())
    models = scores["models"]
    ours, peers = models["ebm"], [name for name in models if name != "ebm"]
    others = ", ".join(f"{name} {models[name]['accuracy']:.3f}" for name in peers)
    yield Row(
        "digits, five folds, five seeds: accuracy",
        "≥ .988",
        f"{ours['accuracy']:.3f} ({others})",
        ours["accuracy"] >= 0.988,
        value=ours["accuracy"],
        comparison=over_best_peer("1,797 digits, five folds, five seeds", scores, "accuracy", "accuracy"),
    )
    yield Row(
        "digits, five folds, five seeds: calibration error",
        "≤ .012",
        f"{ours['ece']:.3f}",
        ours["ece"] <= 0.012,
        value=ours["ece"],
    )
    for name, least in REFUSED.items():
        measure = next(m for m in ours if m.startswith(f"auroc_{name}"))
        others = ", ".join(f"{p} {measured(scores, p, measure)}" for p in peers if measure in models[p])
        yield Row(
            f"digits, refusal of {name}: AUROC",
            f"≥ {least}",
            f"{measured(scores, 'ebm', measure)} ({others})",
            ours[measure] >= least,
            value=ours[measure],
        )


def mri() -> Iterator[Row]:
    scores = scores_of("mri", Given())
    models = scores["models"]
    ours, peers = models["ebm"], ("pca", "knn")
    best = max(models[name]["auroc"] for name in peers)
    others = ", ".join(f"{name} {measured(scores, name, 'auroc')}" for name in (*peers, "metadata"))
    yield Row(
        "lesions in healthy slices: AUROC of a slice",
        "≥ .15 above the better of PCA and kNN",
        f"{measured(scores, 'ebm', 'auroc')} ({others})",
        ours["auroc"] >= best + 0.15,
        value=ours["auroc"],
        comparison=over_best_peer("Synthetic lesions in healthy brain scans", scores, "auroc", "AUROC"),
    )
    dice = max(models[name]["dice"] for name in peers)
    yield Row(
        "lesions in healthy slices: Dice",
        "twice theirs",
        f"{ours['dice']:.3f} (better peer {dice:.3f})",
        ours["dice"] >= 2 * dice,
        value=ours["dice"],
    )
    yield Row(
        "lesions in healthy slices: average precision of pixels",
        "shown",
        f"{ours['pixel_ap']:.3f}",
        True,
        value=ours["pixel_ap"],
    )


ROWS = {"images": images, "mri": mri}
