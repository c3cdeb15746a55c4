"""Distribution of a size given inputs: a pool of forest and analogues, tilted by an energy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtri

from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.seeds import Fit
from ebm_core.tilts.skewt import SkewT
from ebm_core.tilts.tilted import TiltedDistribution
from ebm_core.tilts.training import fit_tilt

STEPS = 100
"""Largest number of steps of the cumulative distribution."""
TREES = 200
FOLDS = 3
MARGINAL = 0.02
"""Share of the marginal distribution in each part of the base, so that no size has probability zero."""
SMOOTH = 1.5
"""Standard deviation, in steps, of the Gaussian filter that smooths the forest's distribution."""
REACH = 0.3
"""Bandwidth of the analogues' kernel, in standard deviations of the index."""


@dataclass(frozen=True)
class Steps:
    """Grid of sizes for distributions: ascending ``edges`` ``(k + 1,)``, between which all mass lies."""

    edges: np.ndarray

    @classmethod
    def of(cls, size: np.ndarray) -> "Steps":
        """Return half-integers between the sizes or, if there are many different sizes, between quantiles."""
        values = np.unique(size)
        if len(values) > STEPS:
            values = np.unique(np.quantile(size, np.linspace(0, 1, STEPS + 1), method="nearest"))
        # Larger and smaller sizes than those in training belong to the outermost steps.
        return cls(np.r_[0.5, values[1:] - 0.5, 10 * values[-1]])

    def place(self, size: np.ndarray) -> np.ndarray:
        """Return the step that contains each size."""
        return np.clip(np.searchsorted(self.edges, size, "right") - 1, 0, len(self.edges) - 2)

    @property
    def width(self) -> np.ndarray:
        """Width of each step in log size, ``(k,)``."""
        return np.diff(np.log(self.edges))


def forest_distribution(
    forest: Any, x: np.ndarray, place: np.ndarray, at: np.ndarray, count: int
) -> np.ndarray:
    """Return the cumulative distribution of a quantile regression forest, ``(len(at), count)``.

    F(t|x) is the mean over trees of the share of training rows in the leaf of x whose size is at most t. It
    is evaluated at the upper edge of each step. The training rows are ``x``, with steps ``place``.

    Reference: Meinshausen (2006), Quantile regression forests, JMLR 7.
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
    """Fit extremely randomised trees to exp(.8 z), with z the normal score of the size.

    The exponential gives large sizes more weight.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    share = np.bincount(place).cumsum() / len(place)
    z = ndtri(np.clip(share - np.diff(share, prepend=0) / 2, 1e-6, 1 - 1e-6))[place]
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=5, max_features=1.0, random_state=seed)
    return forest.fit(x, np.exp(0.8 * z))


def analogues(index: np.ndarray, place: np.ndarray, at: np.ndarray, count: int) -> np.ndarray:
    """Return the cumulative distribution from training rows with a similar ``index``, ``(len(at), count)``.

    F(t|s) = Σᵢ K((s − sᵢ)/h) 1{yᵢ ≤ t} / Σᵢ K((s − sᵢ)/h), with a Gaussian kernel K and h = :data:`REACH`.

    References: Nadaraya (1964), Theory Probab. Appl. 9; Watson (1964), Sankhyā A 26.
    """
    weight = np.exp(-(((at[:, None] - index) / REACH) ** 2) / 2)
    weight /= np.maximum(weight.sum(1, keepdims=True), 1e-300)
    seen = np.eye(count)[place]
    return ((1 - MARGINAL) * (weight @ seen) + MARGINAL * seen.mean(0)).cumsum(1)


def smoothed(cumulative: np.ndarray) -> np.ndarray:
    """Smooth distributions ``(n, k)`` over neighbouring steps, to fill gaps between the sizes of a leaf."""
    mass = np.diff(np.column_stack([np.zeros(len(cumulative)), cumulative]), axis=1)
    found: np.ndarray = gaussian_filter1d(mass, SMOOTH, axis=1, mode="reflect").cumsum(1).clip(0, 1)
    return found


def logit(chance: np.ndarray) -> np.ndarray:
    """Return log odds of probabilities, which are clipped to [0.001, 0.999]."""
    chance = chance.clip(1e-3, 1 - 1e-3)
    found: np.ndarray = np.log(chance / (1 - chance))
    return found


@dataclass(frozen=True)
class Learners:
    """The forest and the classifiers whose outputs are inputs ("hints") of base and energy."""

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
            ExtraTreesClassifier(TREES, min_samples_leaf=10, max_features=0.3, random_state=seed),
            make_pipeline(normal, LogisticRegression(C=0.05, max_iter=500)),
        )  # fmt: skip
        viral = place >= large
        fitted = tuple(learner.fit(x, viral) for learner in others)
        return cls(x, place, count, large, fit_forest(x, place, seed), fitted)

    def say(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the forest's cumulative distribution ``(n, k)`` and the hints ``(n, learners + 2)``.

        The hints are the logit of P(large) of each classifier and of the forest, and minus the mean of the
        forest's cumulative distribution over the steps.
        """
        forest = smoothed(forest_distribution(self.forest, self.x, self.place, x, self.count))
        chance = [learner.predict_proba(x)[:, 1] for learner in self.others]
        chance.append(1 - forest[:, self.large - 1])
        return forest, np.column_stack([*map(logit, chance), -forest.mean(1)])


@dataclass(frozen=True)
class Base:
    """Base q(y|x) = w F(y|x) + (1 − w) G(y|s), a pool of the forest F and the analogues G.

    The index s is the mean of the standardised hints, which ranks sizes better than any single hint. The
    weight w has the best log score in cross-fitting.
    """

    count: int
    large: int
    centre: np.ndarray
    spread: np.ndarray
    index: np.ndarray
    """Cross-fitted index s of the training rows, with standard deviation 1."""
    place: np.ndarray
    weight: float

    @classmethod
    def of(
        cls, forest: np.ndarray, hints: np.ndarray, place: np.ndarray, large: int, blocks: list[np.ndarray]
    ) -> tuple["Base", np.ndarray]:
        """Fit the base, and return it with its cross-fitted cumulative distributions ``(n, k)``.

        ``forest`` ``(n, k)`` and ``hints`` are the cross-fitted outputs of :meth:`Learners.say`.
        """
        count, rows = forest.shape[1], np.arange(len(forest))
        centre, spread = hints.mean(0), hints.std(0) + 1e-9
        spread = spread * ((hints - centre) / spread).mean(1).std()
        index = ((hints - centre) / spread).mean(1)
        near = np.empty_like(forest)
        for held in blocks:
            rest = np.setdiff1d(rows, held)
            near[held] = analogues(index[rest], place[rest], index[held], count)

        def said(weight: float) -> float:
            pooled = weight * forest + (1 - weight) * near
            mass = np.diff(np.column_stack([np.zeros(len(pooled)), pooled]), axis=1)[rows, place]
            return float(np.log(np.maximum(mass, 1e-9)).mean())

        weight = max(np.linspace(0, 1, 21), key=said)
        base = cls(count, large, centre, spread, index, place, float(weight))
        return base, weight * forest + (1 - weight) * near

    def s(self, hints: np.ndarray) -> np.ndarray:
        found: np.ndarray = ((hints - self.centre) / self.spread).mean(1)
        return found

    def near(self, hints: np.ndarray) -> np.ndarray:
        """Return the distribution G of the analogues, ``(n, k)``."""
        return analogues(self.index, self.place, self.s(hints), self.count)

    def cumulative(self, forest: np.ndarray, hints: np.ndarray) -> np.ndarray:
        return self.weight * forest + (1 - self.weight) * self.near(hints)


@dataclass(frozen=True)
class SizeModel:
    """Tilted model p(y|x) = q(y|x) exp(−E(z, h)) / Z of a size y.

    q is a :class:`Base` and z = Φ⁻¹(Q(y|x)) the normal score of y under it. In z the base is standard normal,
    so that Z is computed by quadrature. The inputs h of the energy are the index, the logit of P(large) under
    the base, and minus the mean of its cumulative distribution. For training these are cross-fitted.
    """

    steps: Steps
    learners: Learners
    base: Base
    fit: Fit
    centre: np.ndarray
    spread: np.ndarray

    def cumulative(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return P(Y ≤ edge) of the tilted model and of its base at edges 1 … k, both ``(n, k)``."""
        forest, hints = self.learners.say(x)
        base = self.base.cumulative(forest, hints)
        seen = _inputs(self.base.s(hints), base[:, self.base.large - 1], base.mean(1))
        return self.tilted(base, seen), base

    def viral_energy(self, hints: np.ndarray) -> np.ndarray:
        """Return −log P(large), ``(n,)``, from the hints only, whose last two columns describe the forest."""
        near, weight = self.base.near(hints), self.base.weight
        below = weight / (1 + np.exp(hints[:, -2])) + (1 - weight) * near[:, self.base.large - 1]
        mean = (1 - weight) * near.mean(1) - weight * hints[:, -1]
        ends = np.column_stack([below, np.ones(len(below))])
        large = 1 - self.tilted(ends, _inputs(self.base.s(hints), below, mean))[:, 0]
        return -np.log(np.maximum(large, 1e-6))

    def tilted(self, base: np.ndarray, seen: np.ndarray) -> np.ndarray:
        inputs = torch.as_tensor((seen - self.centre) / self.spread, dtype=torch.float32)
        score = torch.as_tensor(ndtri(np.clip(base, 1e-9, 1 - 1e-9)).T)
        module = self.fit.module

        def energy(s: torch.Tensor) -> torch.Tensor:
            return module(s.float(), inputs).mean(0).double()

        with torch.no_grad():
            law = TiltedDistribution(SkewT(torch.zeros(len(base)), torch.ones(len(base))), energy)
            found: np.ndarray = law.cdf(score).numpy().T
        found[:, -1] = 1
        return found


def _inputs(index: np.ndarray, below: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the inputs of the energy, ``(n, 3)``."""
    return np.column_stack([index, logit(1 - below), -mean])


def fit_size_model(x: np.ndarray, size: np.ndarray, threshold: float, seed: int) -> SizeModel:
    """Fit base and energy on cross-fitted outputs of the learners, then fit the learners on all rows.

    The rows ``x`` ``(n, d)`` are in order of time. Each fold is a span of time, so that cross-fitting
    reflects drift.
    """
    from sklearn.model_selection import KFold

    steps = Steps.of(size)
    place, count = steps.place(size), len(steps.edges) - 1
    large = int(steps.place(np.array([threshold]))[0])
    folds = list(KFold(FOLDS).split(x))
    said = [Learners.of(x[rows], place[rows], count, large, seed).say(x[held]) for rows, held in folds]
    forest, hints = (np.concatenate(parts) for parts in zip(*said, strict=True))
    base, q = Base.of(forest, hints, place, large, [held for _, held in folds])
    seen = _inputs(base.index, q[:, large - 1], q.mean(1))
    generator = torch.Generator().manual_seed(seed)
    # Randomised PIT: the normal score of a discrete size is drawn at random within its step.
    drawn = torch.rand(len(x), generator=generator, dtype=torch.float64).numpy()
    below = np.where(place > 0, q[np.arange(len(x)), np.maximum(place - 1, 0)], 0)
    u = below + drawn * (q[np.arange(len(x)), place] - below)
    score = torch.as_tensor(ndtri(u.clip(1e-6, 1 - 1e-6)), dtype=torch.float32)
    centre, spread = seen.mean(0), seen.std(0) + 1e-9
    inputs = torch.as_tensor((seen - centre) / spread, dtype=torch.float32)
    order = torch.randperm(len(x), generator=generator)
    energy = BilinearEnergy(inputs.shape[1], 4, 8, 3, generator)
    fit = fit_tilt(
        energy, score[order], inputs[order], validation=len(x) // 4, steps=400, learning_rate=0.003,
        weight_decay=1.0, generator=generator,
    )  # fmt: skip
    return SizeModel(steps, Learners.of(x, place, count, large, seed), base, fit, centre, spread)


def crps_log(cumulative: np.ndarray, steps: Steps, size: np.ndarray) -> np.ndarray:
    """Return the CRPS of log size, ∫ (F − 1{observed ≤ t})² d log t, by the trapezoidal rule, ``(n,)``."""
    f = np.column_stack([np.zeros(len(size)), cumulative])
    observed = (np.arange(len(steps.edges)) > steps.place(size)[:, None]).astype(float)
    height = (f - observed) ** 2
    # The trapezoidal rule places the observed size in the middle of its step.
    inner: np.ndarray = ((height[:, 1:] + height[:, :-1]) / 2 * steps.width).sum(1)
    return inner


def log_score(cumulative: np.ndarray, steps: Steps, size: np.ndarray) -> np.ndarray:
    """Return the log density of log size, log P(step of the size) − log of the step's width, ``(n,)``."""
    f = np.column_stack([np.zeros(len(size)), cumulative])
    place, rows = steps.place(size), np.arange(len(size))
    mass = np.maximum(f[rows, place + 1] - f[rows, place], 1e-6)
    density: np.ndarray = np.log(mass) - np.log(steps.width[place])
    return density


def median(cumulative: np.ndarray, steps: Steps) -> np.ndarray:
    """Return the median ``(n,)``, by interpolation of the cumulative distribution in log size."""
    f = np.column_stack([np.zeros(len(cumulative)), cumulative])
    at = (f >= 0.5).argmax(1)
    rows = np.arange(len(f))
    share = (0.5 - f[rows, at - 1]) / np.maximum(f[rows, at] - f[rows, at - 1], 1e-12)
    logs = np.log(steps.edges)
    return np.exp(logs[at - 1] + share * (logs[at] - logs[at - 1]))
