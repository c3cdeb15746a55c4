"""Music recommendation: artists that a user will listen to, and new artists without listeners."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.applications.harness.application import Application, Given, Picture, Scene
from tasks.applications.harness.measures import Measure, mean
from tasks.applications.harness.trials import Trial
from tasks.checks.table.evidence import Spec
from tasks.runtime.errors import BasinError, counted

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.applications.music.known_artists import Fitted, Listens
    from tasks.runtime.parallel import Progress

TEST = 0.2
COLD_PARTS = 5
NDCG = Measure("ndcg@10", "NDCG@10", mean)
RECALL = Measure("recall@20", "recall@20", mean)
COLD = Measure("cold_auroc", "cold-start AUROC", mean)
AUDITED = 20
"""Number of recommended artists per user in the fairness check."""


@dataclass(frozen=True)
class Examples:
    """Listening data and, for each seed, the mask of its test rows.

    ``sound`` ``(artists, 6)`` has the audio features, NaN if unknown. It is None for a user's own file.
    """

    listens: "Listens"
    users: np.ndarray
    artists: np.ndarray
    tests: list[np.ndarray]
    sound: np.ndarray | None

    def train(self, seed: int) -> "Listens":
        return self.listens.rows(~self.tests[seed])

    def held_out(self, seed: int) -> Any:
        return self.listens.rows(self.tests[seed]).matrix()

    def cold(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Divide the artists with audio features; return the positions of the warm and of the cold fifth."""
        assert self.sound is not None
        known = np.flatnonzero(np.isfinite(self.sound).all(1))
        mixed = np.random.default_rng(seed // COLD_PARTS).permutation(known)
        cold = np.sort(mixed[seed % COLD_PARTS :: COLD_PARTS])
        return np.setdiff1d(known, cold), cold


@dataclass(frozen=True)
class Models:
    """Fitted models of known artists, and the scores of cold artists by model."""

    listening: "Fitted"
    cold: dict[str, np.ndarray]


class Music(Application):
    name = "music"
    title = "Music"
    question = (
        "Which other artists will a user listen to? A fifth of each user's artists is held out, drawn at "
        "random for each seed. All artists that are not in the user's training part are ranked (NDCG@10, "
        "recall@20; artists with five listeners or more). And who will listen to a new artist without "
        "listeners, whose sound is known by audio features? A fifth of the artists with audio features is "
        "removed from the training part, a different one for each seed, and ranked for each user (AUROC)."
    )
    own_title = "Users and items"
    own_question = (
        "Which other items will a user choose? The test part is the test file or, for a single file, a fifth "
        "of each user's items, drawn at random for each seed. All items that are not in the user's training "
        "part are ranked (NDCG@10, recall@20)."
    )
    sources = ("lastfm_listens", "lastfm_artists", "spotify_audio")
    reference = "ease"

    def read(self, given: Given, sources: dict[str, Any]) -> Examples:
        from tasks.applications.music.files import read_catalog, read_listens
        from tasks.applications.music.known_artists import Listens
        from tasks.applications.music.recommenders import hold_out

        if given.label is not None:
            raise BasinError(
                "--label: music has no label; leave it out and give --data with user,item[,count]"
            )
        if given.own and (given.data is None) == (given.train is None or given.test is None):
            raise BasinError(
                "music: expected either --data, which is split at random, or both --train and --test"
            )
        sound = None
        if given.data is not None:
            table = read_listens(given.data)
        elif given.train is not None and given.test is not None:
            parts = {"train": read_listens(given.train), "test": read_listens(given.test)}
            for column in ("user", "artist"):
                new = parts["test"].loc[~parts["test"][column].isin(parts["train"][column]), column]
                if column == "user" and len(new):
                    raise BasinError(
                        f"{given.test}: user {new.iloc[0]} is not in {given.train} ({new.nunique()} such "
                        "users); leave their rows out, or add other rows of these users to --train"
                    )
            table = pd.concat(parts.values(), ignore_index=True)
        else:
            table, sound_of = read_catalog(sources)
        user, users = pd.factorize(table["user"])
        item, artists = pd.factorize(table["artist"])
        label = given.data or given.train or "lastfm"
        if min(len(users), len(artists)) < 20:
            raise BasinError(
                f"{label}: {counted(len(users), 'user')} and {counted(len(artists), 'item')}; expected 20 of "
                "each or more, so add rows"
            )
        if not given.own:
            sound = sound_of.reindex(artists).to_numpy()
        listens = Listens(user, item, table["count"].to_numpy(float), (len(users), len(artists)))
        if given.train is not None:
            tests = [np.arange(len(table)) >= len(parts["train"])] * given.seeds
        else:
            tests = [hold_out(user, TEST, 1000 + seed) for seed in range(given.seeds)]
        if not tests[0].any():
            raise BasinError(
                f"{label}: no user has three items or more, so no item can be held out; add rows"
            )
        return Examples(listens, np.asarray(users), np.asarray(artists), tests, sound)

    def table(self, examples: Examples) -> pd.DataFrame:
        listens = examples.listens
        user, artist = examples.users[listens.user], examples.artists[listens.item]
        return pd.DataFrame(
            {
                "example": [f"{u} {a}" for u, a in zip(user, artist, strict=True)],
                "split": np.where(examples.tests[0], "test", "train"),
                "user": user,
                "artist": artist,
                "count": listens.count,
            }
        )

    def spec(self, examples: Examples) -> Spec:
        return Spec(split="split", inputs=("user", "artist"))

    def fit(self, examples: Examples, seed: int, progress: "Progress") -> Models:
        from tasks.applications.music.cold_start import fit_cold_start
        from tasks.applications.music.known_artists import fit_listening

        progress("listening", 0, 2)
        listening = fit_listening(examples.train(seed), seed)
        if examples.sound is None:
            return Models(listening, {})
        progress("cold start", 1, 2)
        warm, cold = examples.cold(seed)
        left = examples.listens.rows(~np.isin(examples.listens.item, cold))
        return Models(listening, fit_cold_start(left.matrix(), examples.sound, warm, cold, seed))

    def trials(self, examples: Examples, fitted: list[Models]) -> list[Trial]:
        from tasks.applications.music.cold_start import user_auroc
        from tasks.applications.music.recommenders import judge_lists

        trials = []
        everything = examples.listens.matrix()
        for seed, models in enumerate(fitted):
            held_out = examples.held_out(seed)
            unit = np.flatnonzero(np.diff(held_out.indptr))
            found = {name: judge_lists(lists, held_out) for name, lists in models.listening.lists.items()}
            for i, measure in enumerate((NDCG, RECALL)):
                answers = {name: values[i] for name, values in found.items()}
                trials.append(Trial((measure,), seed, np.ones(len(unit)), answers, unit, "listening"))
        for seed, models in enumerate(fitted):
            if not models.cold:
                continue
            listened = everything[:, examples.cold(seed)[1]].toarray() > 0
            unit = np.flatnonzero(listened.any(1) & ~listened.all(1))
            answers = {name: user_auroc(scores, listened) for name, scores in models.cold.items()}
            trials.append(Trial((COLD,), seed, np.ones(len(unit)), answers, unit, "cold start"))
        return trials

    def answers(self, examples: Examples, fitted: list[Models], trials: list[Trial]) -> list[pd.DataFrame]:
        """Return one row per user, in which ``prediction`` has the first ten artists, separated by ``|``."""
        frames = []
        lists = [(t, t.answers["ebm"]) for t in trials if t.group == "listening"]
        for seed, models in enumerate(fitted):
            (of, ndcg), (_, recall) = (pair for pair in lists if pair[0].seed == seed)
            held_out, first = examples.held_out(seed), models.listening.lists["ebm"][of.units, :10]
            said = {
                "example": [f"user {user}" for user in examples.users[of.units]],
                "truth": [_joined(examples.artists[held_out[user].indices]) for user in of.units],
                "prediction": [_joined(row) for row in examples.artists[first]],
                "ndcg@10": ndcg,
                "recall@20": recall,
            }
            frames.append(pd.DataFrame(said))
        return frames

    def outcomes(
        self, examples: Examples, fitted: list[Models], trials: list[Trial]
    ) -> tuple[pd.DataFrame, Spec] | None:
        """Return, for the fairness check, which artists are recommended, by popularity of the user's taste.

        The rows are each user's held-out artists, and the same number of artists that the user does not have,
        drawn in proportion to popularity. An artist is recommended if it is in the list of twenty.
        """
        lists, held_out = fitted[0].listening.lists["ebm"], examples.held_out(0)
        everything = examples.listens.matrix()
        listeners = np.asarray(examples.train(0).matrix().sum(0)).ravel()
        rng = np.random.default_rng(0)
        rows = []
        for user, taste in enumerate(_taste(examples)):
            wanted = held_out[user].indices
            drawn = rng.choice(len(listeners), 4 * len(wanted) + 1, p=listeners / listeners.sum())
            others = np.setdiff1d(drawn, everything[user].indices)
            others = rng.permutation(others)[: len(wanted)]
            for label, items in (("yes", wanted), ("no", others)):
                chosen = np.isin(items, lists[user, :AUDITED])
                rows += [(label, "yes" if found else "no", taste) for found in chosen]
        frame = pd.DataFrame(rows, columns=["label", "prediction", "taste"])
        return frame, Spec(label="label", prediction="prediction", protected=("taste",))

    def scene(self, examples: Examples, fitted: list[Models]) -> Scene:
        import torch

        from tasks.applications.music.known_artists import FEATURES

        found = fitted[0].listening

        def energy(points: np.ndarray) -> np.ndarray:
            x = torch.as_tensor(points, dtype=torch.float32)
            with torch.no_grad():
                return (found.weight * found.energy(x) - found.energy.log_scale.exp() * x[:, 0]).numpy()

        words = np.where(found.listened, "chosen", "not chosen")
        caption = (
            "Energy of a pair of user and item, including that of the base, over its features. The points "
            "are validation pairs of the training part. The energy is low where users chose the item."
        )
        return Scene(found.sample, energy, words, FEATURES, caption)

    def curves(self, fitted: list[Models]) -> dict[str, list[float]]:
        return {f"ranking loss/seed {seed}": m.listening.curve for seed, m in enumerate(fitted)}

    def pictures(self, examples: Examples, fitted: list[Models], trials: list[Trial]) -> list[Picture]:
        shown = {"ebm": "#0f766e", "ease": "#b4550b", "popularity": "#7b8a86"}
        lists = fitted[0].listening.lists
        by_artist = {name: _recall_by_listeners(examples, lists[name]) for name in shown}
        by_user = {name: _recall_by_taste(examples, lists[name]) for name in shown}
        pictures = [
            Picture(
                "popularity",
                "Recall by popularity of the item",
                "Share of the held-out items that are in the list of twenty, for seed 0, by number of users "
                "who have the item. A list of popular items finds only those on the right.",
                _bars(by_artist, shown, "users who have the item (training part)", "recall@20"),
            ),
            Picture(
                "taste",
                "Recall by popularity of the user's taste",
                "Recall@20 for three groups of users of equal size. Taste is the mean log number of users "
                "who have the items of the user.",
                _bars(by_user, shown, "taste of the user", "recall@20"),
            ),
        ]
        cold = [t for t in trials if t.group == "cold start"]
        if cold:
            names = list(cold[0].answers)
            mean_of = {n: np.mean([t.answers[n].mean() for t in cold]) for n in names}
            caption = "Mean AUROC over users and seeds, with and without tempo among the audio features."
            pictures.append(
                Picture(
                    "tempo",
                    "Contribution of tempo for artists without listeners",
                    caption,
                    _bars({"AUROC": mean_of}, {"AUROC": "#0f766e"}, "model", "AUROC", bottom=0.5),
                )
            )
        return pictures

    def model(self, fitted: list[Models]) -> "tuple[dict[str, Tensor], dict[str, Any]]":
        from tasks.applications.music.known_artists import FEATURES, HIDDEN

        tensors = {
            f"seed{seed}.{name}": value
            for seed, m in enumerate(fitted)
            for name, value in m.listening.energy.state_dict().items()
        }
        seeds = [
            {
                "weight": m.listening.weight,
                "chosen": m.listening.chosen,
                "mean": m.listening.scale[0].tolist(),
                "deviation": m.listening.scale[1].tolist(),
            }
            for m in fitted
        ]
        return tensors, {"energy": "ChoiceEnergy", "features": FEATURES, "hidden": HIDDEN, "seeds": seeds}

    def notes(self, examples: Examples, scores: dict[str, Any]) -> list[str]:
        notes = [
            "The base is EASE. The inputs of the energy are the scores of five classical models and the "
            "popularity of the item and of the user's taste. linear-pool is the same model without a hidden "
            "layer, that is, linear stacking."
        ]
        if examples.sound is None:
            return [
                *notes,
                "A user's own file has no features of the items, so new items cannot be ranked.",
            ]
        gain = scores["paired"]["ebm-without-tempo"]["cold_auroc"]
        low, high = gain["interval"]
        words = "not significant" if low <= 0 <= high else "small" if gain["gain"] < 0.02 else "clear"
        known = int(np.isfinite(examples.sound).all(1).sum())
        return [
            *notes,
            f"Tempo adds {gain['gain']:+.4f} to the cold-start AUROC ({low:+.4f} to {high:+.4f}, {words}). "
            "The data have one tempo per track. Changes of tempo within a track could only be studied with "
            "the audio.",
            f"{known} artists are joined to audio features by name, with one or a few tracks each. The "
            "intervals resample users and seeds but not artists, so they are too narrow for other artists.",
            "Only the listening of the users is known. The groups of the fairness check are therefore groups "
            "of taste, not of age or sex.",
        ]


def _joined(artists: np.ndarray) -> str:
    return "|".join(map(str, artists))


def _taste(examples: Examples) -> np.ndarray:
    """Classify users as niche, middle or mainstream by the mean log number of listeners of their artists."""
    taste = examples.train(0).matrix()
    popularity = np.log1p(np.asarray(taste.sum(0)).ravel())
    mean_of = taste @ popularity / np.maximum(np.diff(taste.indptr), 1)
    third = np.digitize(mean_of, np.quantile(mean_of, [1 / 3, 2 / 3]))
    return np.array(["niche", "middle", "mainstream"])[third]


def _recall_by_listeners(examples: Examples, lists: np.ndarray) -> dict[str, float]:
    listeners = np.asarray(examples.train(0).matrix().sum(0)).ravel()
    user, item = examples.held_out(0).nonzero()
    found = (lists[user] == item[:, None]).any(1)
    edges = [0, 5, 20, 50, 100, 200, np.inf]
    recall = {}
    for low, high in pairwise(edges):
        rows = (listeners[item] >= low) & (listeners[item] < high)
        if rows.any():
            recall[f"{low:.0f}–{high - 1:.0f}" if np.isfinite(high) else f"{low:.0f}+"] = found[rows].mean()
    return recall


def _recall_by_taste(examples: Examples, lists: np.ndarray) -> dict[str, float]:
    taste = _taste(examples)
    user, item = examples.held_out(0).nonzero()
    found = (lists[user] == item[:, None]).any(1)
    return {name: found[taste[user] == name].mean() for name in ("niche", "middle", "mainstream")}


def _bars(
    values: dict[str, dict[str, float]], colours: dict[str, str], across: str, up: str, bottom: float = 0.0
) -> bytes:
    """Draw a bar chart with a group of bars for each category and one bar for each model."""
    from tasks.reporting.maps import canvas, drawing, png

    with drawing:
        figure, axes = canvas()
        width = 0.8 / len(values)
        for i, (name, of) in enumerate(values.items()):
            places = np.arange(len(of)) + (i - (len(values) - 1) / 2) * width
            axes.bar(
                places, np.array(list(of.values())) - bottom, width, bottom, color=colours[name], label=name
            )
            axes.set_xticks(range(len(of)), list(of), rotation=15)
        axes.legend(fontsize=9)
        axes.set(xlabel=across, ylabel=up)
        return png(figure)


APPLICATION = Music()
