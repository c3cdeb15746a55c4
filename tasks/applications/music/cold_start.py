"""Artists whom nobody has listened to yet: an energy of a user's taste and an artist's sound."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from scipy.stats import rankdata
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from ebm_core.tilts.choices import ChoiceEnergy, fit_choices
from tasks.applications.music.recommenders import als

SOUND = ("danceability", "energy", "tempo", "valence", "instrumentalness", "acousticness")
TEMPO = SOUND.index("tempo")
FOLDS = 5
SHRINKAGE = 3
"""Artists' worth of the average sound in a user's profile."""
PENALTIES = (10.0, 30.0, 100.0, 300.0)
SHOWN = 0.25
"""Share of the pairs that the logistic regression is fitted on."""
HIDDEN, EPOCHS, LEARNING_RATE, WEIGHT_DECAY = 8, 15, 0.01, 0.1


def fit_cold_start(
    taste: sp.csr_matrix, sound: np.ndarray, warm: np.ndarray, cold: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Scores of ``cold`` artists for every user by every model: ``(users, len(cold))`` each.

    ``taste`` ``(users, artists)`` must hold nothing of the cold artists; ``sound`` ``(artists, 6)`` is NaN
    where unknown, ``warm`` and ``cold`` are columns where it is not. Of a warm artist the energy sees what
    models without that artist say of it, as it will of a cold one.
    """
    users, _ = als(taste, dimensions=32, unobserved=0.1, seed=seed)
    sounds = (sound - sound[warm].mean(0)) / sound[warm].std(0)
    known = taste[:, warm].toarray()
    deaf = np.delete(sounds, TEMPO, axis=1)
    seen = _Scores.of(users, known, sounds[warm], sounds[cold], seed)
    without = _Scores.of(users, known, deaf[warm], deaf[cold], seed)
    tempo = sounds[:, [TEMPO]]
    return {
        "ebm": _tilted(seen, known, seed),
        "ebm-without-tempo": _tilted(without, known, seed),
        **seen.cold,
        "tempo": _logistic(known, tempo[warm], tempo[cold], seed),
    }


@dataclass(frozen=True)
class _Scores:
    """Scores of the classical models for each user and artist, ``(users, artists)`` by name.

    ``warm`` are out of fold: each artist as if nobody had listened to it.
    """

    warm: dict[str, np.ndarray]
    cold: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, users: np.ndarray, known: np.ndarray, warm: np.ndarray, cold: np.ndarray, seed: int
    ) -> "_Scores":
        out: dict[str, np.ndarray] = {}
        for fit, rest in KFold(FOLDS, shuffle=True, random_state=seed).split(warm):
            for name, scores in _classical(users, known[:, fit], warm[fit], warm[rest], seed).items():
                out.setdefault(name, np.empty(known.shape))[:, rest] = scores
        return cls(out, _classical(users, known, warm, cold, seed))

    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """``(users, artists, models)`` float32, standardised by the warm artists."""
        warm, cold = (np.stack(list(scores.values()), -1) for scores in (self.warm, self.cold))
        mean, deviation = warm.mean((0, 1)), warm.std((0, 1))
        warm, cold = (((x - mean) / deviation).clip(-6, 6).astype(np.float32) for x in (warm, cold))
        return warm, cold


def _classical(
    users: np.ndarray, known: np.ndarray, warm: np.ndarray, cold: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """What each classical model, fitted on warm artists, says of cold ones.

    A ridge regression from sound to the factors that best tell who listens to an artist, times the user's
    factors; listeners smoothed over artists that sound alike; a logistic regression on pairs.
    """
    factors = np.linalg.lstsq(users, known, rcond=None)[0].T
    ridge = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), RidgeCV(PENALTIES))
    smooth = KernelRidge(alpha=3.0, kernel="rbf", gamma=0.1)
    return {
        "audio-ridge": users @ ridge.fit(warm, factors).predict(cold).T,
        "audio-kernel": smooth.fit(warm, (known - known.mean()).T).predict(cold).T,
        "audio-logistic": _logistic(known, warm, cold, seed),
    }


def _logistic(known: np.ndarray, warm: np.ndarray, cold: np.ndarray, seed: int) -> np.ndarray:
    """Log odds from the sound, its product with the user's mean sound and the squared distance to it.

    A warm artist is left out of the profile to which it is compared.
    """
    count, total = known.sum(1)[:, None, None], (known @ warm)[:, None]
    without = (total - known[..., None] * warm) / (count - known[..., None] + SHRINKAGE)
    pairs, new = _pairs(warm, without), _pairs(cold, total / (count + SHRINKAGE))
    shown = np.random.default_rng(seed).random(known.shape) < SHOWN
    model = LogisticRegression(max_iter=300).fit(pairs[shown], known[shown])
    found: np.ndarray = model.decision_function(new.reshape(-1, new.shape[-1])).reshape(new.shape[:2])
    return found


def _pairs(sound: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """``(artists, k)`` and ``(users, artists or 1, k)`` to ``(users, artists, 3k)``."""
    shape = np.broadcast_shapes(sound[None].shape, profile.shape)
    each = (np.broadcast_to(sound, shape), sound * profile, (sound - profile) ** 2)
    return np.concatenate(each, -1).astype(np.float32)


def _tilted(scores: _Scores, known: np.ndarray, seed: int) -> np.ndarray:
    """β·base − E, learned by ranking NCE of what was listened to among all warm artists."""
    warm, cold = (torch.as_tensor(x) for x in scores.features())
    listens = np.flatnonzero(known.any(1))
    generator = torch.Generator().manual_seed(seed)
    energy = ChoiceEnergy(warm.shape[-1], HIDDEN, generator)
    fit_choices(
        energy,
        warm[listens, :, 0],
        warm[listens],
        torch.as_tensor(known[listens] > 0),
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        generator=generator,
    )
    with torch.no_grad():
        found: np.ndarray = energy.logits(cold[..., 0], cold).numpy()
    return found


def user_auroc(scores: np.ndarray, listened: np.ndarray) -> np.ndarray:
    """P(an artist listened to scores above one that was not) of each user who has both; ties count half."""
    rank = rankdata(scores, axis=1)
    positive = listened.sum(1)
    negative = listened.shape[1] - positive
    both = (positive > 0) & (negative > 0)
    above = (rank * listened).sum(1) - positive * (positive + 1) / 2
    found: np.ndarray = above[both] / (positive * negative)[both]
    return found
