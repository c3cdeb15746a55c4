"""Music: whom a user will listen to, and artists whom nobody has listened to yet."""

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
"""Length of the list that the check of fairness calls recommended."""


@dataclass(frozen=True)
class Examples:
    """Listens with the mask of each seed's test part; ``sound`` ``(artists, 6)`` is NaN where unknown."""

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
        """Artists of known sound: those listened to, and the part of this seed, a fifth of them."""
        assert self.sound is not None
        known = np.flatnonzero(np.isfinite(self.sound).all(1))
        mixed = np.random.default_rng(seed // COLD_PARTS).permutation(known)
        cold = np.sort(mixed[seed % COLD_PARTS :: COLD_PARTS])
        return np.setdiff1d(known, cold), cold


@dataclass(frozen=True)
class Models:
    listening: "Fitted"
    cold: dict[str, np.ndarray]


class Music(Application):
    name = "music"
    title = "Music"
    question = (
        "To which artists will a user listen whose other listening is known? A fifth of each user's artists "
        "is held out, drawn anew for each seed, and every artist whom the user does not have is ranked "
        "(NDCG@10, recall@20; artists with five listeners or more). And who will listen to an artist whom "
        "nobody has listened to yet, of whom only the sound is known? A fifth of the artists with audio "
        "features is taken out altogether, another for each seed; for each user they are ranked (AUROC)."
    )
    own_title = "Users and items"
    own_question = (
        "Which items will a user choose whose other choices are known? A part of each user's items is held "
        "out (of a single file a fifth, drawn anew for each seed; else the test file), and every item that "
        "the user does not have is ranked (NDCG@10, recall@20)."
    )
    sources = ("lastfm_listens", "lastfm_artists", "spotify_audio")
    reference = "ease"

    def read(self, given: Given, sources: dict[str, Any]) -> Examples:
        from tasks.applications.music.files import read_catalog, read_listens
        from tasks.applications.music.known_artists import Listens
        from tasks.applications.music.recommenders import hold_out

        if given.label is not None:
            raise BasinError("--label: listening has no label; give --data with user,item[,count]")
        if given.own and (given.data is None) == (given.train is None or given.test is None):
            raise BasinError("give --data, which is split here, or both --train and --test")
        sound = None
        if given.data is not None:
            table = read_listens(given.data)
        elif given.train is not None and given.test is not None:
            parts = {"train": read_listens(given.train), "test": read_listens(given.test)}
            for column in ("user", "artist"):
                new = parts["test"].loc[~parts["test"][column].isin(parts["train"][column]), column]
                if column == "user" and len(new):
                    raise BasinError(
                        f"{given.test}: user {new.iloc[0]} (of {new.nunique()}) is not in {given.train}; a "
                        "user without history has no list: leave these rows out or add some to the training"
                    )
            table = pd.concat(parts.values(), ignore_index=True)
        else:
            table, sound_of = read_catalog(sources)
        user, users = pd.factorize(table["user"])
        item, artists = pd.factorize(table["artist"])
        label = given.data or given.train or "lastfm"
        if min(len(users), len(artists)) < 20:
            raise BasinError(
                f"{label}: {counted(len(users), 'user')} and {counted(len(artists), 'item')}: expected 20 of "
                "each or more, or there is no taste in common to learn"
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
                f"{label}: no user has three items or more, so none can be held out; give a longer file"
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
        """Users are what is judged; ``prediction`` are the ten artists that come first, ``|`` between."""
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
        """Of each user the held-out artists, and as many drawn by popularity that the user does not have:
        which of them are in the list of twenty, by how popular the user's taste is."""
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
            "Energy of a pair of user and item (the base's included) over what the model sees of it, with "
            "validation pairs of the training part on top: low where users did choose the item."
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
                "What is found: items by the number of users who have them",
                "Share of the held-out items that are in the list of twenty, seed 0. A list that repeats "
                "what is popular finds the items on the right only.",
                _bars(by_artist, shown, "users who have the item (training part)", "recall@20"),
            ),
            Picture(
                "taste",
                "Whom it serves: users by how popular their taste is",
                "Recall@20 of thirds of the users by the mean log number of users who have their items.",
                _bars(by_user, shown, "taste of the user", "recall@20"),
            ),
        ]
        cold = [t for t in trials if t.group == "cold start"]
        if cold:
            names = list(cold[0].answers)
            mean_of = {n: np.mean([t.answers[n].mean() for t in cold]) for n in names}
            caption = "Mean AUROC over users and five parts of the artists, with and without the tempo."
            pictures.append(
                Picture(
                    "tempo",
                    "What tempo adds for artists without listeners",
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
            "The base is EASE; the energy sees the scores of five classical models and how popular item "
            "and taste are. linear-pool is the same without the hidden layer: what stacking alone brings."
        ]
        if examples.sound is None:
            return [
                *notes,
                "A file of your own has no features of the items, so nothing is said of new ones.",
            ]
        gain = scores["paired"]["ebm-without-tempo"]["cold_auroc"]
        low, high = gain["interval"]
        words = "not clear of chance" if low <= 0 <= high else "small" if gain["gain"] < 0.02 else "clear"
        known = int(np.isfinite(examples.sound).all(1).sum())
        return [
            *notes,
            f"Tempo adds {gain['gain']:+.4f} to the cold-start AUROC ({low:+.4f} to {high:+.4f}, {words}). "
            "One tempo a track is all that these data hold; whether shifts of tempo within a track please "
            "needs the audio, which they lack.",
            f"{known} artists are joined by name, one to a few tracks each; the intervals draw users and "
            "parts again, not artists, so they are narrow for what holds of other artists.",
            "Nothing is known of the users but their listening: groups are of taste, not of age or sex.",
        ]


def _joined(artists: np.ndarray) -> str:
    return "|".join(map(str, artists))


def _taste(examples: Examples) -> np.ndarray:
    """Third of each user by the mean log number of listeners of their artists in the training part."""
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
    """A group of bars for each place, one a model."""
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
