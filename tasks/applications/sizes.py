"""The distribution of a size given inputs: a forest's, tilted by an energy in its normal scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from ebm_core import BilinearEnergy, Fit, SkewT, TiltedDistribution, fit_tilt

STEPS = 100
"""Most steps of the cumulative distribution."""
TREES = 200
FOLDS = 4
MARGINAL = 0.02
"""Share of the marginal distribution in the forest's, so that no size is impossible."""


@dataclass(frozen=True)
class Steps:
    """Sizes at which distributions are stated: ``edges`` ``(k + 1,)``, rising; all mass is between."""

    edges: np.ndarray

    @classmethod
    def of(cls, size: np.ndarray) -> "Steps":
        """Half-integers around each size where there are few, quantiles of them where there are many."""
        values = np.unique(size)
        if len(values) > STEPS:
            values = np.unique(np.quantile(size, np.linspace(0, 1, STEPS + 1), method="nearest"))
        # Sizes beyond those seen get the outermost steps.
        return cls(np.r_[0.5, values[1:] - 0.5, 10 * values[-1]])

    def place(self, size: np.ndarray) -> np.ndarray:
        """The step that holds each size."""
        return np.clip(np.searchsorted(self.edges, size, "right") - 1, 0, len(self.edges) - 2)

    @property
    def width(self) -> np.ndarray:
        """Of each step in log size."""
        return np.diff(np.log(self.edges))


def forest_distribution(
    forest: Any, x: np.ndarray, place: np.ndarray, at: np.ndarray, count: int
) -> np.ndarray:
    """Cumulative probability at the inner and last edges, ``(len(at), count)``, from the leaves of a forest.

    F(t|x) = mean over trees of the share of training rows ``x`` in the leaf of ``at`` of size at most t:
    a quantile regression forest. Reference: Meinshausen (2006), JMLR 7.
    """
    leaves, leaves_at = forest.apply(x), forest.apply(at)
    mass = np.zeros((len(at), count))
    for tree in range(leaves.shape[1]):
        held = np.zeros((leaves[:, tree].max() + 1, count))
        np.add.at(held, (leaves[:, tree], place), 1)
        mass += (held / np.maximum(held.sum(1, keepdims=True), 1))[leaves_at[:, tree]]
    overall = np.bincount(place, minlength=count) / len(place)
    return ((1 - MARGINAL) * mass / leaves.shape[1] + MARGINAL * overall).cumsum(1)


def fit_forest(x: np.ndarray, place: np.ndarray, seed: int) -> Any:
    """Extremely randomised trees of exp(.8 z), z the normal score of the size: they tell large ones."""
    from sklearn.ensemble import ExtraTreesRegressor

    share = np.bincount(place).cumsum() / len(place)
    z = ndtri(np.clip(share - np.diff(share, prepend=0) / 2, 1e-6, 1 - 1e-6))[place]
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=5, max_features=1.0, random_state=seed)
    return forest.fit(x, np.exp(0.8 * z))


@dataclass(frozen=True)
class SizeModel:
    """p(y|x) = q(y|x) exp(−E(s, h)) / Z: q a forest's distribution, s = Φ⁻¹(Q(y|x)) its normal score.

    In s the base is standard normal, so Z is a quadrature as everywhere. The inputs h of the energy are what
    other learners say (:func:`hints`), out of fold where the energy is trained.
    """

    steps: Steps
    learners: "Learners"
    fit: Fit
    centre: np.ndarray
    spread: np.ndarray

    def cumulative(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P(Y ≤ edge) of the tilted model and of its base at edges 1 … k, each ``(n, k)``."""
        base, hints = self.learners.say(x)
        inputs = torch.as_tensor((hints - self.centre) / self.spread, dtype=torch.float32)
        return self.tilted(base, inputs), base

    def viral_energy(self, hints: np.ndarray) -> np.ndarray:
        """−log P(large) as the hints alone tell it, the forest's chance being one of them: ``(n,)``."""
        chance = 1 / (1 + np.exp(-hints[:, -2]))
        inputs = torch.as_tensor((hints - self.centre) / self.spread, dtype=torch.float32)
        below = np.column_stack([1 - chance, np.ones(len(chance))])
        return -np.log(np.maximum(1 - self.tilted(below, inputs)[:, 0], 1e-6))

    def tilted(self, base: np.ndarray, inputs: torch.Tensor) -> np.ndarray:
        score = torch.as_tensor(ndtri(np.clip(base, 1e-9, 1 - 1e-9)).T)
        module = self.fit.module

        def energy(s: torch.Tensor) -> torch.Tensor:
            return module(s.float(), inputs).mean(0).double()

        with torch.no_grad():
            law = TiltedDistribution(SkewT(torch.zeros(len(base)), torch.ones(len(base))), energy)
            found: np.ndarray = law.cdf(score).numpy().T
        found[:, -1] = 1
        return found


@dataclass(frozen=True)
class Learners:
    """The forest and the learners that hint to the energy, all fitted on the same rows."""

    x: np.ndarray
    place: np.ndarray
    count: int
    large: int
    """The first step that counts as large."""
    forest: Any
    others: tuple[Any, ...]

    @classmethod
    def of(cls, x: np.ndarray, place: np.ndarray, count: int, large: int, seed: int) -> "Learners":
        from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import QuantileTransformer

        normal = QuantileTransformer(
            n_quantiles=min(200, len(x)), output_distribution="normal", random_state=seed
        )
        others = (
            HistGradientBoostingClassifier(
                learning_rate=0.03, max_iter=150, max_leaf_nodes=8, min_samples_leaf=30,
                l2_regularization=5, random_state=seed,
            ),
            ExtraTreesClassifier(TREES, min_samples_leaf=5, max_features=0.6, random_state=seed),
            make_pipeline(normal, LogisticRegression(C=0.05, max_iter=500)),
        )  # fmt: skip
        viral = place >= large
        fitted = tuple(learner.fit(x, viral) for learner in others)
        return cls(x, place, count, large, fit_forest(x, place, seed), fitted)

    def say(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The forest's cumulative distribution ``(n, k)``, and the hints ``(n, 2 + learners)``."""
        base = forest_distribution(self.forest, self.x, self.place, x, self.count)
        chance = [learner.predict_proba(x)[:, 1] for learner in self.others]
        chance.append(1 - base[:, self.large - 1])
        logits = [np.log(p.clip(1e-3, 1) / (1 - p).clip(1e-3, 1)) for p in chance]
        return base, np.column_stack([*logits, base.mean(1)])


def fit_size_model(x: np.ndarray, size: np.ndarray, threshold: float, seed: int) -> SizeModel:
    """Fit base and hints out of fold, the energy on what they say there, then base and hints on all rows."""
    from sklearn.model_selection import KFold

    steps = Steps.of(size)
    place, count = steps.place(size), len(steps.edges) - 1
    large = int(steps.place(np.array([threshold]))[0])
    base, hints = np.zeros((len(x), count)), None
    for rows, held in KFold(FOLDS, shuffle=True, random_state=seed).split(x):
        said = Learners.of(x[rows], place[rows], count, large, seed).say(x[held])
        hints = np.zeros((len(x), said[1].shape[1])) if hints is None else hints
        base[held], hints[held] = said
    assert hints is not None
    generator = torch.Generator().manual_seed(seed)
    # The size is a step, its normal score any within it: drawn, as a probability transform of counts is.
    drawn = torch.rand(len(x), generator=generator, dtype=torch.float64).numpy()
    below = np.where(place > 0, base[np.arange(len(x)), np.maximum(place - 1, 0)], 0)
    u = below + drawn * (base[np.arange(len(x)), place] - below)
    score = torch.as_tensor(ndtri(u.clip(1e-6, 1 - 1e-6)), dtype=torch.float32)
    centre, spread = hints.mean(0), hints.std(0) + 1e-9
    inputs = torch.as_tensor((hints - centre) / spread, dtype=torch.float32)
    order = torch.randperm(len(x), generator=generator)
    energy = BilinearEnergy(inputs.shape[1], 4, 8, 3, generator)
    fit = fit_tilt(
        energy, score[order], inputs[order], validation=len(x) // 4, steps=600, learning_rate=0.003,
        weight_decay=1.0, generator=generator,
    )  # fmt: skip
    return SizeModel(steps, Learners.of(x, place, count, large, seed), fit, centre, spread)


def crps_log(cumulative: np.ndarray, steps: Steps, size: np.ndarray) -> np.ndarray:
    """CRPS of log size ``(n,)``: Σ over steps of ∫ (F − 1{observed ≤ t})² d log t, by trapezoids."""
    f = np.column_stack([np.zeros(len(size)), cumulative])
    observed = (np.arange(len(steps.edges)) > steps.place(size)[:, None]).astype(float)
    height = (f - observed) ** 2
    # Half of the observed step lies before the size and half behind it.
    inner: np.ndarray = ((height[:, 1:] + height[:, :-1]) / 2 * steps.width).sum(1)
    return inner


def log_score(cumulative: np.ndarray, steps: Steps, size: np.ndarray) -> np.ndarray:
    """log P(the step that holds the size) − log its width: the mean log density of log size, ``(n,)``."""
    f = np.column_stack([np.zeros(len(size)), cumulative])
    place, rows = steps.place(size), np.arange(len(size))
    mass = np.maximum(f[rows, place + 1] - f[rows, place], 1e-6)
    density: np.ndarray = np.log(mass) - np.log(steps.width[place])
    return density


def median(cumulative: np.ndarray, steps: Steps) -> np.ndarray:
    """The size at which the cumulative distribution crosses one half, ``(n,)``, linear in log size."""
    f = np.column_stack([np.zeros(len(cumulative)), cumulative])
    at = (f >= 0.5).argmax(1)
    rows = np.arange(len(f))
    share = (0.5 - f[rows, at - 1]) / np.maximum(f[rows, at] - f[rows, at - 1], 1e-12)
    logs = np.log(steps.edges)
    return np.exp(logs[at - 1] + share * (logs[at] - logs[at - 1]))
