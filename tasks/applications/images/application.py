"""Images: classify digits by the energy of each class, and reject images of high energy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.applications.harness.application import Application, Given, Picture, Scene
from tasks.applications.harness.picture_files import Pictures, read_pictures
from tasks.runtime.errors import BasinError, counted

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tasks.applications.harness.stored_model import Scored, Stored
    from tasks.applications.harness.trials import Trial
    from tasks.checks.table.evidence import Spec
    from tasks.runtime.parallel import Progress

FOLDS = 5
FEWEST = 20
"""Smallest number of training pictures per class, needed for division into folds and calibration."""
LARGEST = 32
"""Largest width and height in pixels; the class densities store a covariance for every training picture."""
SAMPLES = 6
STEPS, STEP_SIZE = 100, 2e-4
"""Number and size of Langevin steps per sample. The size is a twentieth of the Parzen window's variance."""


@dataclass(frozen=True)
class Examples:
    """Pictures, their class numbers ``label``, and ``folds`` as pairs of training and test rows."""

    pictures: Pictures
    label: np.ndarray
    classes: tuple[str, ...]
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]

    @property
    def flat(self) -> np.ndarray:
        return self.pictures.values.reshape(len(self.pictures), -1)

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.pictures.values.shape[1:]
        return height, width


class Images(Application):
    name = "images"
    title = "Handwritten digits"
    question = (
        "Which digit is it, with what probability, and is it a digit at all? One joint energy of picture and "
        "class answers both: the energies of the classes give their probabilities, and a picture of high "
        "energy is refused. In five-fold cross-validation every picture is tested once, by models that were "
        "fitted without it. Pictures of no digit are made from test pictures only: pixels shuffled, ink "
        "inverted, transposed, or the mean of two digits. They are used for nothing else."
    )
    own_title = "Pictures by class"
    score_files = ("pictures.png",)
    own_question = (
        "To which class does a picture belong, with what probability, and does it belong to any? One joint "
        "energy of picture and class answers both: the energies of the classes give their probabilities, and "
        "a picture of high energy is refused. A single file is tested in five-fold cross-validation, every "
        "picture once by models that were fitted without it. A test file is tested as given. Pictures of no "
        "class are made from test pictures only: pixels shuffled, ink inverted, transposed, or the mean of "
        "two pictures. They are used for nothing else."
    )
    sources = ("digits",)
    reference = "cnn"

    def read(self, given: Given, sources: dict[str, Any]) -> Examples:
        if sources:
            bunch = sources["digits"]
            values = bunch.images.astype(np.float32) / 16
            names = tuple(f"digits[{i}]" for i in range(len(values)))
            return self._folded(Pictures(values, names, bunch.target), "digits")
        if given.data is not None:
            return self._folded(read_pictures(given.data), str(given.data))
        if given.train is None or given.test is None:
            raise BasinError("images: no complete set of files; give --data, or both --train and --test")
        train, test = read_pictures(given.train), read_pictures(given.test)
        if train.values.shape[1:] != test.values.shape[1:]:
            shapes = f"{train.values.shape[1:]} and {test.values.shape[1:]}"
            raise BasinError(
                f"{given.test}: pictures of --train and --test differ in size ({shapes}); resize them"
            )
        known, asked = _labels(train, str(given.train)), _labels(test, str(given.test))
        _require(train, known, str(given.train))
        unknown = sorted(set(asked) - set(known))
        if unknown:
            raise BasinError(
                f"{given.test}: class {unknown[0]} does not occur in --train; add training pictures of it"
            )
        values = np.concatenate([train.values, test.values])
        rows = np.arange(len(values))
        fold = (rows[: len(train)], rows[len(train) :])
        both = Pictures(values, train.names + test.names, None)
        return _examples(both, np.concatenate([known, asked]), (fold,))

    def _folded(self, pictures: Pictures, label: str) -> Examples:
        from sklearn.model_selection import StratifiedKFold

        labels = _labels(pictures, label)
        _require(pictures, labels, label)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(labels, labels)
        return _examples(pictures, labels, tuple(folds))

    def table(self, examples: Examples) -> "pd.DataFrame":
        import pandas as pd

        split = np.full(len(examples.label), "test", dtype=object)
        if len(examples.folds) == 1:
            split[examples.folds[0][0]] = "train"
        return pd.DataFrame(
            {
                "example": examples.pictures.names,
                "split": split,
                "class": np.array(examples.classes)[examples.label],
                "ink": examples.flat.mean(1).astype(float),
                "contrast": examples.flat.std(1).astype(float),
            }
        )

    def spec(self, examples: Examples) -> "Spec":
        from tasks.checks.table.evidence import Spec

        return Spec(split="split")

    def fit(self, examples: Examples, seed: int, progress: "Progress") -> list[Any]:
        import torch

        from tasks.applications.images.joint_energy import fit_joint_energy
        from tasks.applications.images.peers import fit_peers

        fitted = []
        for k, (train, _) in enumerate(examples.folds):
            progress(f"seed {seed}, fold {k + 1}", k, len(examples.folds))
            x, label = examples.flat[train], examples.label[train]
            energy = fit_joint_energy(torch.as_tensor(x), torch.as_tensor(label), examples.size, seed)
            fitted.append((energy, fit_peers(x, label, examples.size, seed)))
        return fitted

    def trials(self, examples: Examples, fitted: list[Any]) -> "list[Trial]":
        from tasks.applications.harness.measures import ACCURACY, ECE, Measure
        from tasks.applications.harness.trials import Trial
        from tasks.applications.images.corruptions import CORRUPTIONS
        from tasks.scoring.ranking import auroc

        rows = np.concatenate([test for _, test in examples.folds])
        trials = []
        for seed, folds in enumerate(fitted):
            probable = [
                _answers(energy, peers, examples.flat[test], "classify")
                for (energy, peers), (_, test) in zip(folds, examples.folds, strict=True)
            ]
            answers = {m: np.concatenate([part[m] for part in probable]) for m in probable[0]}
            trials.append(Trial((ACCURACY, ECE), seed, examples.label[rows], answers, unit=rows))
            for name, corrupt in CORRUPTIONS.items():
                rng = np.random.default_rng(seed)
                energies = []
                for (energy, peers), (_, test) in zip(folds, examples.folds, strict=True):
                    changed = corrupt(examples.pictures.values[test], examples.label[test], rng)
                    both = np.concatenate([examples.flat[test], changed.reshape(len(test), -1)])
                    energies.append(_answers(energy, peers, both.astype(np.float32), "energies"))
                truth = np.concatenate([np.repeat([0, 1], len(test)) for _, test in examples.folds])
                unit = np.concatenate([np.tile(test, 2) for _, test in examples.folds])
                answers = {m: np.concatenate([part[m] for part in energies]) for m in energies[0]}
                measure = Measure(f"auroc_{name}", f"AUROC, {name}", auroc)
                trials.append(Trial((measure,), seed, truth, answers, unit=unit))
        return trials

    def answers(self, examples: Examples, fitted: list[Any], trials: "list[Trial]") -> "list[pd.DataFrame]":
        import pandas as pd
        import torch

        from tasks.applications.harness.answers import probabilities

        rows = np.concatenate([test for _, test in examples.folds])
        judged = [trial for trial in trials if trial.measures[0].name == "accuracy"]
        frames = []
        for folds, trial in zip(fitted, judged, strict=True):
            with torch.no_grad():
                energies = [
                    energy(torch.as_tensor(examples.flat[test])).numpy()
                    for (energy, _), (_, test) in zip(folds, examples.folds, strict=True)
                ]
            said = {
                "example": np.array(examples.pictures.names)[rows],
                "truth": np.array(examples.classes)[trial.truth],
                "energy": np.concatenate(energies),
            }
            frames.append(pd.DataFrame(said | probabilities(trial.answers["ebm"], examples.classes)))
        return frames

    def scene(self, examples: Examples, fitted: list[Any]) -> Scene:
        import torch

        test = examples.folds[0][1]
        energy = fitted[0][0][0]

        def of(x: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                found: np.ndarray = energy(torch.as_tensor(x, dtype=torch.float32)).numpy()
            return found

        height, width = examples.size
        return Scene(
            examples.flat[test].astype(float),
            of,
            np.array(examples.classes)[examples.label[test]],
            tuple(f"pixel {i},{j}" for i in range(height) for j in range(width)),
            "E(x) in nats over the first two principal components of the pictures, with those of the first "
            "test fold.",
        )

    def pictures(self, examples: Examples, fitted: list[Any], trials: "list[Trial]") -> list[Picture]:
        from tasks.applications.images.drawing import draw_judged, draw_samples

        energy = fitted[0][0][0]
        return [
            draw_judged(energy, examples, examples.folds[0][1]),
            draw_samples(energy, examples.size, examples.classes, SAMPLES, STEPS, STEP_SIZE),
        ]

    def model(self, fitted: list[Any]) -> Any:
        energy = fitted[0][0][0]
        tensors = {f"base.{name}": t for name, t in energy.base.state_dict().items()}
        for k, module in enumerate(energy.networks):
            tensors |= {f"network{k}.{name}": t for name, t in module.state_dict().items()}
        return tensors, {
            "sharpness": energy.sharpness,
            "evidence": energy.evidence,
            "noise": energy.base.noise,
        }

    def signature(self, examples: Examples, fitted: list[Any]) -> dict[str, Any]:
        import torch

        from tasks.applications.images.joint_energy import held_out_energies

        rows, energy = examples.folds[0][0], fitted[0][0][0]
        x, label = torch.as_tensor(examples.flat[rows]), torch.as_tensor(examples.label[rows])
        return {
            "size": examples.size,
            "classes": examples.classes,
            "unseen": held_out_energies(energy, x, label, seed=0).tolist(),
        }

    def score(self, stored: "Stored", path: "Path") -> "Scored":
        import pandas as pd
        import torch

        from tasks.applications.harness.answers import CHANCE, probabilities
        from tasks.applications.harness.stored_model import Scored, p_values
        from tasks.applications.images.drawing import draw_scored
        from tasks.applications.images.joint_energy import restored

        pictures = read_pictures(path)
        size, classes = tuple(stored.signature["size"]), stored.signature["classes"]
        if pictures.values.shape[1:] != size:
            height, width = pictures.values.shape[1:]
            raise BasinError(
                f"{path}: pictures of {width} × {height} pixels; the model expects {size[1]} × {size[0]}, so "
                "resize them"
            )
        energy = restored(stored.tensors, stored.config, size)
        x = torch.as_tensor(pictures.values.reshape(len(pictures), -1))
        with torch.no_grad():
            found = energy(x).numpy()
        answers = pd.DataFrame(
            {
                "example": pictures.names,
                "energy": found,
                "p_value": p_values(found, np.array(stored.signature["unseen"])),
                **probabilities(energy.classify(x).numpy(), classes),
            }
        )
        likely: pd.Series = answers.filter(like=CHANCE).idxmax(axis=1)
        answers.insert(3, "prediction", likely.str.removeprefix(CHANCE))
        return Scored(answers, {"pictures.png": draw_scored(pictures.values, answers)})

    def notes(self, examples: Examples, scores: dict[str, Any]) -> list[str]:
        ours = scores["models"]["ebm"]
        peers = {m: of["accuracy"] for m, of in scores["models"].items() if m != "ebm" and "accuracy" in of}
        best = [m for m, accuracy in peers.items() if accuracy == max(peers.values())]
        said = [
            f"{len(examples.label)} pictures of {len(examples.classes)} classes, number of folds: "
            f"{len(examples.folds)}. The corruptions are made from test pictures only, and no choice was "
            "made on them.",
            f"The accuracy of the energy is {ours['accuracy']:.4f}, that of its best peers "
            f"({', '.join(best)}) {max(peers.values()):.4f}.",
            "The writer or camera of a picture is not known. The same one can occur in training and test "
            "part, and pictures of new ones can be harder.",
            "The stored model is that of the first seed and the first fold.",
        ]
        missed = [f"{k} {ours[k]:.3f}" for k in ours if k.startswith("auroc_") and ours[k] < 0.9]
        return said + ([f"AUROC below .9 for refusing: {', '.join(missed)}."] if missed else [])


def _answers(energy: Any, peers: Any, x: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Return class probabilities (``classify``) or energies (``energies``) of ``ebm`` and every peer."""
    import torch

    with torch.no_grad():
        tensor = torch.as_tensor(x)
        ours = energy.classify(tensor) if kind == "classify" else energy(tensor)
    return {"ebm": ours.numpy(), **getattr(peers, kind)(x)}


def _labels(pictures: Pictures, label: str) -> np.ndarray:
    if pictures.labels is None:
        raise BasinError(
            f"{label}: pictures without a class; give y in the .npz file, or a subfolder per class"
        )
    return pictures.labels.astype(str)


def _require(pictures: Pictures, labels: np.ndarray, label: str) -> None:
    """Raise ``BasinError`` if training pictures are too large, too few or all of one class."""
    height, width = pictures.values.shape[1:]
    if max(height, width) > LARGEST:
        raise BasinError(
            f"{label}: pictures of {width} × {height} pixels; expected at most {LARGEST} × {LARGEST}, so "
            "resize them"
        )
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise BasinError(f"{label}: only one class, {classes[0]}; expected two or more")
    if counts.min() < FEWEST:
        rarest = classes[counts.argmin()]
        raise BasinError(
            f"{label}: class {rarest} has {counted(counts.min(), 'training picture')}; expected {FEWEST} or "
            "more"
        )


def _examples(
    pictures: Pictures, labels: np.ndarray, folds: tuple[tuple[np.ndarray, np.ndarray], ...]
) -> Examples:
    classes, label = np.unique(labels, return_inverse=True)
    return Examples(pictures, label, tuple(classes.tolist()), folds)


APPLICATION = Images()
