"""Ranking of artists for known users: EASE tilted by an energy of the pair of user and artist."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from ebm_core.tilts.choices import ABSENT, ChoiceEnergy, fit_choices
from tasks.applications.music.recommenders import (
    als,
    ease,
    hold_out,
    item_knn,
    judge_lists,
    top_items,
    user_knn,
)

VALIDATION = 0.2
"""Share of each user's training items that is held out for validation."""
DRAWN = 150
"""Number of candidates per user and component."""
GRID = {"ease": (60.0, 120.0, 250.0), "als": (0.05, 0.1), "item-knn": (50, 200)}
"""Settings to try: EASE's penalty, ALS's weight of unobserved pairs, number of neighbours of item-kNN."""
WEIGHTS = (0.0, 0.5, 1.0)
"""Weights of the energy to try. With 0 the model is its base."""
SAMPLE = 600
"""Number of pairs of each label in the landscape."""
HIDDEN, EPOCHS, LEARNING_RATE, WEIGHT_DECAY = 16, 20, 0.02, 0.01


@dataclass(frozen=True)
class Listens:
    """Listening data: positions of ``user`` and ``item`` and the ``count`` of each row.

    ``shape`` is (users, items).
    """

    user: np.ndarray
    item: np.ndarray
    count: np.ndarray
    shape: tuple[int, int]

    def rows(self, mask: np.ndarray) -> "Listens":
        return Listens(self.user[mask], self.item[mask], self.count[mask], self.shape)

    def matrix(self, weight: np.ndarray | None = None) -> sp.csr_matrix:
        values = np.ones(len(self.user)) if weight is None else weight
        return sp.csr_matrix((values.astype(np.float32), (self.user, self.item)), self.shape)

    def loudness(self) -> np.ndarray:
        """Return log(1 + count) of each row, divided by the user's mean."""
        log = np.log1p(self.count)
        users = np.maximum(np.bincount(self.user, minlength=self.shape[0]), 1)
        mean = np.bincount(self.user, log, self.shape[0]) / users
        found: np.ndarray = log / np.maximum(mean, 1e-9)[self.user]
        return found


@dataclass(frozen=True)
class Fitted:
    """Fitted models: recommendations, the energy, and the settings chosen on the validation part.

    ``lists`` holds the best new artists of each user, ``(users, 20)``, for every model. ``scale`` is the mean
    and the standard deviation of the features. ``weight`` multiplies the energy. ``curve`` is its loss per
    epoch. ``sample`` has the features of some pairs of user and artist in the validation part, for the
    landscape, and ``listened`` tells for each pair whether the user listened to the artist.
    """

    lists: dict[str, np.ndarray]
    energy: ChoiceEnergy
    scale: tuple[np.ndarray, np.ndarray]
    weight: float
    chosen: dict[str, float]
    curve: list[float]
    sample: np.ndarray
    listened: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Candidate items ``(users, k)`` and the features of each pair, ``(users, k, features)``.

    ``present`` ``(users, k)`` is false for padding of users with fewer candidates.
    """

    item: np.ndarray
    present: np.ndarray
    features: np.ndarray

    def standardised(self, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        clipped = np.clip((self.features - mean) / deviation, -4, 8)
        return np.where(self.present[..., None], clipped, 0).astype(np.float32)

    def scale(self) -> tuple[np.ndarray, np.ndarray]:
        seen = self.features[self.present]
        return seen.mean(0), np.maximum(seen.std(0), 1e-6)


COMPONENTS = ("ease", "als", "item-knn", "user-knn", "ease of counts")
FEATURES = (*COMPONENTS, "popularity", *(f"root of {name}" for name in COMPONENTS), "mainstream", "history")


def components(train: Listens, chosen: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Fit each classical model on ``train`` and return its scores ``(users, items)``."""
    taste, loud = train.matrix(), train.matrix(train.loudness())
    size = float((loud.data**2).mean())
    users, items = als(taste, dimensions=_dimensions(train.shape), unobserved=chosen["als"], seed=seed)
    return {
        "ease": ease(taste, chosen["ease"]),
        "als": users @ items.T,
        "item-knn": item_knn(taste, int(chosen["item-knn"])),
        "user-knn": user_knn(taste),
        "ease of counts": ease(loud, chosen["ease"] * size),
    }


def _dimensions(shape: tuple[int, int]) -> int:
    return max(2, min(32, min(shape) // 4))


def pairs(train: Listens, scores: dict[str, np.ndarray]) -> Pairs:
    """Return the best new items of each component as candidates, with their features."""
    taste = train.matrix()
    known = taste.nonzero()
    drawn = min(DRAWN, train.shape[1])
    proposed = np.zeros(train.shape, bool)
    for values in scores.values():
        hidden = values.copy()
        hidden[known] = -np.inf
        np.put_along_axis(proposed, np.argpartition(-hidden, drawn - 1, axis=1)[:, :drawn], True, 1)
    proposed[known] = False
    item = np.argsort(~proposed, axis=1, kind="stable")[:, : max(int(proposed.sum(1).max()), 1)]
    present = np.take_along_axis(proposed, item, 1)
    each = np.stack([np.take_along_axis(s, item, 1) for s in scores.values()], -1)
    popularity = np.log1p(np.asarray(taste.sum(0)).ravel())
    history = np.diff(taste.indptr)
    mainstream = taste @ popularity / np.maximum(history, 1)
    of_user = np.stack([mainstream, np.log1p(history)], -1)[:, None].repeat(item.shape[1], 1)
    roots = np.sign(each) * np.sqrt(np.abs(each))
    return Pairs(item, present, np.concatenate([each, popularity[item][..., None], roots, of_user], -1))


def choose(fit: Listens, held_out: Listens, seed: int) -> dict[str, float]:
    """Return the setting of each peer in ``GRID`` with the best NDCG@10 on the validation part."""
    taste, wanted = fit.matrix(), held_out.matrix()
    best = {}
    for name, grid in GRID.items():
        found = []
        for value in grid:
            if name == "als":
                users, items = als(taste, dimensions=_dimensions(fit.shape), unobserved=value, seed=seed)
                scores = users @ items.T
            else:
                scores = ease(taste, value) if name == "ease" else item_knn(taste, int(value))
            found.append(judge_lists(top_items(scores, taste), wanted)[0].mean())
        best[name] = grid[int(np.argmax(found))]
    return best


def fit_listening(train: Listens, seed: int) -> Fitted:
    """Fit every model on the training part only.

    The classical models are fitted on 80 % of each user's items. With their scores as features, the energy is
    fitted to tell which candidates are among the other 20 %. Its weight has the best NDCG@10 when each half
    of the users is ranked by the energy fitted on the other half. Then the classical models are fitted again
    on all training items, and the energy tilts the new EASE.
    """
    inner = hold_out(train.user, VALIDATION, seed)
    fit, held_out = train.rows(~inner), train.rows(inner)
    chosen = choose(fit, held_out, seed)
    inside = pairs(fit, components(fit, chosen, seed))
    scale = inside.scale()
    wanted = held_out.matrix()
    rows = np.arange(train.shape[0])[:, None]
    hit = (wanted[rows, inside.item].toarray() > 0) & inside.present
    learnable = np.flatnonzero(hit.any(1))
    features = inside.standardised(*scale)
    half = np.random.default_rng(seed).permutation(len(learnable)) % 2

    def learn(users: np.ndarray, linear: bool = False) -> tuple[ChoiceEnergy, list[float]]:
        generator = torch.Generator().manual_seed(seed)
        energy = ChoiceEnergy(len(FEATURES), HIDDEN, generator)
        energy.outer_weight.requires_grad_(not linear)
        curve = fit_choices(
            energy,
            torch.as_tensor(_base(inside, features)[users]),
            torch.as_tensor(features[users]),
            torch.as_tensor(hit[users]),
            epochs=EPOCHS,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            generator=generator,
        )
        return energy, curve

    gained = np.zeros(len(WEIGHTS))
    for part in (0, 1):
        energy, _ = learn(learnable[half != part])
        judged = np.zeros(len(rows), bool)
        judged[learnable[half == part]] = True
        only = sp.diags(judged.astype(np.float32)).tocsr() @ wanted
        only.eliminate_zeros()
        for i, weight in enumerate(WEIGHTS):
            gained[i] += judge_lists(ranked(energy, weight, inside, features), only)[0].sum()
    weight = WEIGHTS[int(np.argmax(gained))]
    energy, curve = learn(learnable)
    sample = _sample(features, hit, inside.present, seed)
    linear, _ = learn(learnable, linear=True)

    scores = components(train, chosen, seed)
    outside = pairs(train, scores)
    features = outside.standardised(*scale)
    taste = train.matrix()
    popular = np.broadcast_to(np.asarray(taste.sum(0)), train.shape)
    lists = {
        "ebm": ranked(energy, weight, outside, features),
        "linear-pool": ranked(linear, 1.0, outside, features),
        **{name: top_items(scores[name], taste) for name in GRID},
        "popularity": top_items(popular, taste),
    }
    return Fitted(lists, energy, scale, weight, chosen, curve, *sample)


def _sample(features: np.ndarray, hit: np.ndarray, present: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Return features and labels of random pairs of user and artist, half of them with listening."""
    rng = np.random.default_rng(seed)
    yes, no = features[hit], features[present & ~hit]
    size = min(SAMPLE, len(yes), len(no))
    drawn = [of[rng.choice(len(of), size, replace=False)] for of in (yes, no)]
    return np.concatenate(drawn), np.arange(2 * size) < size


def _base(found: Pairs, features: np.ndarray) -> np.ndarray:
    return np.where(found.present, features[..., 0], ABSENT).astype(np.float32)


def ranked(energy: ChoiceEnergy, weight: float, found: Pairs, features: np.ndarray) -> np.ndarray:
    """Return the candidates ranked by β·EASE − weight·E, best first, ``(users, 20)``."""
    x = torch.as_tensor(features)
    with torch.no_grad():
        tilted = energy.log_scale.exp() * torch.as_tensor(_base(found, features)) - weight * energy(x)
    values = np.where(found.present, tilted.numpy(), -np.inf)
    return np.take_along_axis(found.item, np.argsort(-values, axis=1, kind="stable")[:, :20], 1)
