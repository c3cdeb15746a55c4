"""Cold start: an energy that ranks artists without listeners by the user's taste and the artist's sound."""

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
"""Shrinkage of a user's profile to the average sound, as a number of artists."""
PENALTIES = (10.0, 30.0, 100.0, 300.0)
SHOWN = 0.25
"""Share of the pairs of user and artist on which the logistic regression is fitted."""
HIDDEN, EPOCHS, LEARNING_RATE, WEIGHT_DECAY = 8, 15, 0.01, 0.1


def fit_cold_start(
    taste: sp.csr_matrix, sound: np.ndarray, warm: np.ndarray, cold: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Fit every model and return its scores of the ``cold`` artists for every user, ``(users, len(cold))``.

    ``taste`` ``(users, artists)`` must have no entries of cold artists. ``sound`` ``(artists, 6)`` is NaN if
    unknown; ``warm`` and ``cold`` are positions of artists where it is known. The energy is trained on
    cross-fitted scores of warm artists, that is, scores of models that were fitted without the artist.
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
    """Scores of the classical models for each user and artist, ``(users, artists)``, by name.

    Scores of ``warm`` artists are cross-fitted: each comes from models fitted without that artist.
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
        """Return the standardised scores of warm and cold artists, float32 ``(users, artists, models)``."""
        warm, cold = (np.stack(list(scores.values()), -1) for scores in (self.warm, self.cold))
        mean, deviation = warm.mean((0, 1)), warm.std((0, 1))
        warm, cold = (((x - mean) / deviation).clip(-6, 6).astype(np.float32) for x in (warm, cold))
        return warm, cold


def _classical(
    users: np.ndarray, known: np.ndarray, warm: np.ndarray, cold: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Fit the classical models on warm artists and return their scores of cold ones.

    The models are a ridge regression from sound to an artist's latent factors, multiplied by the user's
    factors; a kernel regression of listeners on sound; and a logistic regression on pairs.
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
    """Return the log odds of a logistic regression on pairs of user and artist.

    Its inputs are the artist's sound, its product with the user's mean sound, and the squared difference of
    the two. A warm artist is left out of the mean sound that it is compared with.
    """
    count, total = known.sum(1)[:, None, None], (known @ warm)[:, None]
    without = (total - known[..., None] * warm) / (count - known[..., None] + SHRINKAGE)
    pairs, new = _pairs(warm, without), _pairs(cold, total / (count + SHRINKAGE))
    shown = np.random.default_rng(seed).random(known.shape) < SHOWN
    model = LogisticRegression(max_iter=300).fit(pairs[shown], known[shown])
    found: np.ndarray = model.decision_function(new.reshape(-1, new.shape[-1])).reshape(new.shape[:2])
    return found


def _pairs(sound: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Return the inputs of all pairs, ``(users, artists, 3k)``.

    ``sound`` has shape ``(artists, k)`` and ``profile`` has shape ``(users, artists or 1, k)``.
    """
    shape = np.broadcast_shapes(sound[None].shape, profile.shape)
    each = (np.broadcast_to(sound, shape), sound * profile, (sound - profile) ** 2)
    return np.concatenate(each, -1).astype(np.float32)


def _tilted(scores: _Scores, known: np.ndarray, seed: int) -> np.ndarray:
    """Return β·base − E for cold artists, fitted to warm artists by ranking NCE."""
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
    """Return the AUROC of listened against other artists, for each user who has both; ties count half."""
    rank = rankdata(scores, axis=1)
    positive = listened.sum(1)
    negative = listened.shape[1] - positive
    both = (positive > 0) & (negative > 0)
    above = (rank * listened).sum(1) - positive * (positive + 1) / 2
    found: np.ndarray = above[both] / (positive * negative)[both]
    return found
