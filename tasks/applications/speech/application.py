"""Speech: recognise words of unknown speakers by a joint energy trained on synthetic speakers."""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.applications.harness.application import Application, Given, Picture, Scene
from tasks.applications.harness.measures import ACCURACY, ECE
from tasks.applications.harness.trials import Trial
from tasks.checks.table.evidence import Spec
from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from torch import Tensor

    from ebm_core.energies.networks import ClassEnergy
    from ebm_core.learning.fit import EnergyFit
    from ebm_core.learning.objectives import Objective
    from tasks.applications.speech.spectrograms import Recordings
    from tasks.applications.speech.synthetic_speakers import SyntheticSpeakers
    from tasks.runtime.parallel import Progress

MOST = 50
"""Largest number of recordings per word and speaker, so that all folds and seeds take 20 minutes."""
STEPS, BATCH, LEARNING_RATE, DECAY = 1000, 64, 2e-3, 0.995
SPREAD_RATE, ENTROPY_WEIGHT, CONTRAST_WEIGHT, TRUST = 0.0006, 0.05, 0.02, 0.1
"""Chosen, like the settings above, by training on two speakers and testing on a third, without the fourth.
The choice uses all twelve such splits, so every speaker has been a test speaker in some of them."""


@dataclass(frozen=True)
class Heard:
    """Models fitted without one speaker, and their probabilities ``(n, classes)`` for that speaker."""

    answers: dict[str, np.ndarray]
    energy: "ClassEnergy"
    speakers: "SyntheticSpeakers"
    loss: list[float]


class Speech(Application):
    name = "speech"
    title = "Speech"
    question = (
        "Which word does an unknown speaker say? Each speaker in turn is left out of training and tested. "
        "The energy model is a network that is trained together with a generator of synthetic speakers. The "
        "generator also varies the test recording. Peers are the same network without synthetic speakers, "
        "the same network with SpecAugment, and a support vector machine."
    )
    sources = ("spoken_digits",)
    reference = "cnn-specaugment"

    def read(self, given: Given, sources: dict[str, Any]) -> "Recordings":
        from tasks.applications.speech.spectrograms import read_folder

        if given.label is not None or given.train is not None or given.test is not None:
            raise BasinError(
                "speech takes no --label, --train or --test; give --data, a folder of WAV files "
                "LABEL_SPEAKER_N.wav, which is split by speaker"
            )
        found = read_folder(given.data or sources["spoken_digits"], MOST)
        for name, values, fewest in (("label", found.label, 2), ("speaker", found.speaker, 2)):
            if len(set(values)) < fewest:
                raise BasinError(
                    f"{given.data}: one {name} only ({values[0]}), expected {fewest} or more; add recordings "
                    f"of another {name}"
                )
        for speaker in np.unique(found.speaker):
            missing = set(found.label) - set(found.label[found.speaker != speaker])
            if missing:
                raise BasinError(
                    f"{given.data}: {sorted(missing)[0]!r} is said by {speaker} only, so it cannot be "
                    "learned when that speaker is held out; remove it or add recordings of another speaker"
                )
        return found

    def table(self, examples: "Recordings") -> pd.DataFrame:
        last = sorted(set(examples.speaker))[-1]
        return pd.DataFrame(
            {
                "example": examples.file,
                "split": np.where(examples.speaker == last, "test", "train"),
                "label": examples.label,
                "speaker": examples.speaker,
                "seconds": examples.seconds,
                # A hash of the sound, by which the audit finds duplicates.
                "sound": [sha256(each.tobytes()).hexdigest() for each in examples.spectrogram],
            }
        )

    def spec(self, examples: "Recordings") -> Spec:
        return Spec(split="split", inputs=("sound",))

    def fit(self, examples: "Recordings", seed: int, progress: "Progress") -> dict[str, Heard]:
        names = sorted(set(examples.speaker))
        found = {}
        for i, name in enumerate(names):
            progress(f"without {name}", i, len(names))
            found[name] = _fit_without(examples, name, seed)
        return found

    def trials(self, examples: "Recordings", fitted: list[dict[str, Heard]]) -> list[Trial]:
        classes = np.unique(examples.label)
        trials = []
        for seed, models in enumerate(fitted):
            for name, found in models.items():
                truth = np.searchsorted(classes, examples.label[examples.speaker == name])
                trials.append(Trial((ACCURACY,), seed, truth, found.answers, group=name))
                # The support vector machine has no probabilities and therefore no calibration error.
                stated = {model: answer for model, answer in found.answers.items() if model != "svm"}
                trials.append(Trial((ECE,), seed, truth, stated, group=name))
        return trials

    def outcomes(
        self, examples: "Recordings", fitted: list[dict[str, Heard]], trials: list[Trial]
    ) -> tuple[pd.DataFrame, Spec] | None:
        """Return binary answers, each word against all others, with speakers as groups for fairlearn."""
        frames = []
        classes = np.unique(examples.label)
        for trial in (t for t in trials if t.seed == 0 and t.measures == (ACCURACY,)):
            answer = trial.answers["ebm"].argmax(1)
            for word in range(len(classes)):
                label, said = (np.where(of == word, "yes", "no") for of in (trial.truth, answer))
                frames.append(pd.DataFrame({"label": label, "prediction": said, "speaker": trial.group}))
        spec = Spec(label="label", prediction="prediction", protected=("speaker",))
        return pd.concat(frames, ignore_index=True), spec

    def answers(
        self, examples: "Recordings", fitted: list[dict[str, Heard]], trials: list[Trial]
    ) -> list[pd.DataFrame]:
        import torch

        from tasks.applications.harness.answers import probabilities

        classes, frames = np.unique(examples.label), []
        for models in fitted:
            for name, found in models.items():
                rows = examples.speaker == name
                with torch.no_grad():
                    energy = found.energy(torch.as_tensor(examples.spectrogram[rows])).numpy()
                said = {
                    "example": np.array(examples.file)[rows],
                    "truth": examples.label[rows],
                    "energy": energy,
                }
                frames.append(pd.DataFrame(said | probabilities(found.answers["ebm"], classes)))
        return frames

    def scene(self, examples: "Recordings", fitted: list[dict[str, Heard]]) -> Scene:
        import torch

        from tasks.applications.speech.spectrograms import BANDS, FRAMES

        name = sorted(fitted[0])[0]
        energy = fitted[0][name].energy

        def of(points: np.ndarray) -> np.ndarray:
            x = torch.as_tensor(points, dtype=torch.float32).reshape(-1, BANDS, FRAMES)
            with torch.no_grad():
                return energy(x).numpy()

        columns = tuple(f"band {b} frame {f}" for b in range(BANDS) for f in range(FRAMES))
        words = np.where(examples.speaker == name, f"{name} (held out)", examples.speaker)
        caption = (
            f"Energy of spectrograms, trained without {name}, over their first two principal components. "
            "Spectrograms have 1,024 dimensions, so the plane shows only a small part of the variation."
        )
        return Scene(examples.spectrogram.reshape(len(examples), -1), of, words, columns, caption)

    def curves(self, fitted: list[dict[str, Heard]]) -> dict[str, list[float]]:
        return {
            f"joint loss/without {name}/seed {seed}": found.loss
            for seed, models in enumerate(fitted)
            for name, found in models.items()
        }

    def pictures(
        self, examples: "Recordings", fitted: list[dict[str, Heard]], trials: list[Trial]
    ) -> list[Picture]:
        name = sorted(fitted[0])[0]
        rows = np.flatnonzero(examples.speaker == name)
        first = [rows[examples.label[rows] == label][0] for label in sorted(set(examples.label[rows]))[:5]]
        x = examples.spectrogram[first]
        return [
            Picture(
                "spectrograms",
                f"Words of the held-out speaker {name}, and the same words by five synthetic speakers",
                "Log-mel spectrograms of equal length, with low frequencies below. E is the energy, which is "
                "low for speech. The first column is recorded. The others are variations of it by synthetic "
                "speakers of the generator, which are drawn anew at every training step.",
                _spectrograms(x, examples.label[first], fitted[0][name]),
            )
        ]

    def model(self, fitted: list[dict[str, Heard]]) -> "tuple[dict[str, Tensor], dict[str, Any]]":
        from tasks.applications.speech.synthetic_speakers import LATENT

        tensors = {
            f"seed{seed}.without {name}.{part}.{key}": value
            for seed, models in enumerate(fitted)
            for name, found in models.items()
            for part, module in (("energy", found.energy), ("speakers", found.speakers))
            for key, value in module.state_dict().items()
        }
        return tensors, {"energy": "ClassEnergy of DigitNetwork", "latent": LATENT, "steps": STEPS}

    def notes(self, examples: "Recordings", scores: dict[str, Any]) -> list[str]:
        errors = {name: 1 - found["accuracy"] for name, found in scores["models"].items()}
        ours, theirs, alone = errors["ebm"], errors[self.reference], errors["warps-only"]
        paired = scores["paired"][self.reference]["accuracy"]
        beside = f"{100 * ours:.1f} % errors, where the same network with SpecAugment makes none"
        if theirs > 0:
            fewer, low, high = (100 * gain / theirs for gain in (paired["gain"], *paired["interval"]))
            beside = (
                f"{fewer:.0f} % fewer errors than the same network with SpecAugment ({low:.0f} to "
                f"{high:.0f} %)"
            )
        warps = f"it makes no errors, the energy {100 * ours:.1f} %"
        if alone > 0:
            share = 100 * (alone - ours) / alone
            more = "fewer" if share >= 0 else "more"
            low, high = scores["paired"]["warps-only"]["accuracy"]["interval"]
            clear = "not significant" if low <= 0 <= high else "significant"
            warps = f"the energy makes {abs(share):.0f} % {more} errors than that, {clear}"
        cut = f", at most {MOST} recordings per word and speaker ({examples.left_out} left out)"
        return [
            f"{beside}, mean over the held-out speakers.",
            "warps-only is the same network with the same synthetic speakers in training and testing, but "
            f"with fixed spreads and without the energy: {warps}.",
            "ebm and warps-only average over variations of each test recording by synthetic speakers. The "
            "models ending in -as-recorded use the recording only.",
            f"{len(set(examples.speaker))} speakers{cut if examples.left_out else ''}. The intervals "
            "resample recordings and seeds but not speakers, of whom there are too few.",
        ]


def fit_words(x: "Tensor", label: "Tensor", classes: int, objective: "Objective", seed: int) -> "EnergyFit":
    """Fit the network to spectrograms ``x``, with the same initial weights and batches for each objective."""
    import torch

    from ebm_core.energies.networks import ClassEnergy
    from ebm_core.learning.fit import fit
    from tasks.applications.speech.synthetic_speakers import DigitNetwork

    generator = torch.Generator().manual_seed(seed)
    network = DigitNetwork(classes, (x.shape[1], x.shape[2]), generator)
    return fit(
        ClassEnergy(network), (x, label), objective, steps=STEPS, batch=BATCH,
        learning_rate=LEARNING_RATE, generator=generator, decay=DECAY,
    )  # fmt: skip


def _fit_without(examples: "Recordings", name: str, seed: int) -> Heard:
    """Fit every model on all speakers except ``name`` and return their answers for ``name``."""
    import torch
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from tasks.applications.speech.synthetic_speakers import (
        SPREAD,
        JointSpeech,
        Recognition,
        SyntheticSpeakers,
        by_chance,
        heard_as,
        spec_augment,
    )

    held_out = examples.speaker == name
    classes = np.unique(examples.label)
    x = torch.as_tensor(examples.spectrogram[~held_out])
    label = torch.as_tensor(np.searchsorted(classes, examples.label[~held_out]))
    heard = torch.as_tensor(examples.spectrogram[held_out])
    speakers = SyntheticSpeakers(SPREAD_RATE, ENTROPY_WEIGHT)
    objectives = {
        "ebm": JointSpeech(speakers, CONTRAST_WEIGHT),
        "cnn": Recognition(lambda x, generator: x),
        "cnn-specaugment": Recognition(spec_augment),
        "warps-only": Recognition(by_chance),
    }
    answers, fits = {}, {}
    for model, objective in objectives.items():
        fits[model] = fit_words(x, label, len(classes), objective, seed)
        with torch.no_grad():
            answers[model] = fits[model].averaged.logits(heard).softmax(1).double().numpy()
    # Models trained with synthetic speakers average over them; the energy weights the speakers.
    learned = speakers.log_spread.detach().exp()
    for model, spread, trust in (("ebm", learned, TRUST), ("warps-only", torch.tensor(SPREAD), 0.0)):
        answers[f"{model}-as-recorded"] = answers[model]
        generator = torch.Generator().manual_seed(seed)
        answers[model] = heard_as(fits[model].averaged, heard, spread, trust, generator).numpy()
    flat = examples.spectrogram.reshape(len(examples), -1)
    parts = min(60, len(x) - 1)
    svm = make_pipeline(StandardScaler(), PCA(parts, random_state=seed), SVC(C=10.0))
    found = svm.fit(flat[~held_out], label.numpy()).predict(flat[held_out])
    answers["svm"] = np.eye(len(classes))[found]
    return Heard(answers, fits["ebm"].averaged, speakers, fits["ebm"].loss.tolist())


def _spectrograms(x: np.ndarray, labels: np.ndarray, found: Heard) -> bytes:
    """Draw a row per word: the recording and its variations by five synthetic speakers, with energies."""
    import torch

    from tasks.applications.speech.synthetic_speakers import LATENT, spoken_by
    from tasks.reporting.maps import canvas, drawing, png

    generator = torch.Generator().manual_seed(0)
    recorded = torch.as_tensor(x)
    spread = found.speakers.log_spread.detach().exp()
    columns = [recorded]
    for _ in range(5):
        speaker = torch.randn(1, len(LATENT), generator=generator) * spread
        columns.append(spoken_by(recorded, speaker.expand(len(x), -1)))
    with torch.no_grad():
        energies = [found.energy(column).numpy() for column in columns]
    with drawing:
        figure, axes = canvas()
        axes.remove()
        grid = figure.subplots(len(x), len(columns), squeeze=False)
        for j, column in enumerate(columns):
            for i, picture in enumerate(column.numpy()):
                place = grid[i, j]
                place.imshow(picture, origin="lower", aspect="auto", cmap="magma")
                place.set(xticks=[], yticks=[])
                place.set_title(f"E = {energies[j][i]:.1f}", fontsize=7, pad=2)
                if j == 0:
                    place.set_ylabel(str(labels[i]))
        return png(figure)


APPLICATION = Speech()
