"""Forecast of spread: the final size of a retweet cascade ten minutes old, and the shares of an article."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.applications.harness.application import Application, Given, Picture, Scene
from tasks.applications.harness.measures import AP, AUROC, Measure, mean, median
from tasks.applications.harness.trials import Trial
from tasks.checks.table.evidence import Spec
from tasks.runtime.errors import BasinError

TRAINING = 0.7
LARGE = 0.9
"""Sizes at or above this quantile of the training sizes are viral."""
EMBARGO = 21
"""Number of days between the last training article and the first test article."""
FEWEST = 200
"""Smallest number of training rows."""

ERROR = Measure("relative_error", "median relative error", median, "lower")
CRPS = Measure("crps", "CRPS of log size", mean, "lower")
LOG_SCORE = Measure("log_score", "log score, nats", mean)


@dataclass(frozen=True)
class Task:
    """Inputs ``x`` ``(n, d)`` and ``size`` ``(n,)`` of rows in order of time.

    ``train`` and ``test`` are positions of rows. ``weeks`` is the time in weeks from the last training row to
    each test row, or None if dates are not known.
    """

    name: str
    columns: tuple[str, ...]
    x: np.ndarray
    size: np.ndarray
    train: np.ndarray
    test: np.ndarray
    weeks: np.ndarray | None = None

    @property
    def threshold(self) -> float:
        return float(np.quantile(self.size[self.train], LARGE))

    @property
    def viral(self) -> np.ndarray:
        return self.size >= self.threshold


class Social(Application):
    name = "social"
    title = "How far things spread"
    question = (
        "How large will a retweet cascade become, given its first ten minutes? And which articles will be "
        "among the most shared tenth, given what is known before publication? Every model is fitted on the "
        "earlier 70 % of the rows and tested on the later 30 %. The first test article is at least 21 days "
        "later than the last training article. The size is forecast as a full distribution, whose upper tail "
        "gives the probability of being viral."
    )
    own_question = (
        "How large will the size become, and which rows will be among the largest tenth? Every model is "
        "fitted on earlier rows and tested on later ones. These are the training and the test file or, for a "
        "single file, the first 70 % and the last 30 % of its rows. The size is forecast as a full "
        "distribution, whose upper tail gives the probability of being viral."
    )
    sources = ("cascades", "online_news")
    reference = "boosting"

    def read(self, given: Given, sources: dict[str, Any]) -> list[Task]:
        if not given.own:
            return [_cascades(sources["cascades"]), _articles(sources["online_news"])]
        if given.label is None:
            raise BasinError("social: the column of sizes is not known; name it with --label")
        from tasks.applications.harness.tables import read_numbers

        if given.data is not None:
            if given.train or given.test:
                raise BasinError(
                    "--data excludes --train and --test; give --data alone, or both --train and --test"
                )
            rows = read_numbers(given.data, given.label)
            return [_task(given.data, rows, given.label, round(TRAINING * len(rows)))]
        if given.train is None or given.test is None:
            raise BasinError("--train and --test need each other; give both, or --data alone")
        train, test = read_numbers(given.train, given.label), read_numbers(given.test, given.label)
        if set(train) != set(test):
            odd = ", ".join(sorted(set(train.columns) ^ set(test.columns))[:5])
            raise BasinError(
                f"{given.test}: columns differ from those of {given.train} ({odd}); give the same"
            )
        rows = pd.concat([train, test[train.columns]], ignore_index=True)
        return [_task(given.test, rows, given.label, len(train))]

    def table(self, examples: list[Task]) -> pd.DataFrame:
        parts = []
        for task in examples:
            used = np.r_[task.train, task.test]
            rows = pd.DataFrame(task.x[used])
            parts.append(
                pd.DataFrame(
                    {
                        "example": [f"{task.name} row {i + 1}" for i in used],
                        "task": task.name,
                        "split": np.repeat(["train", "test"], [len(task.train), len(task.test)]),
                        "size": task.size[used],
                        "viral": task.viral[used].astype(int),
                        "fingerprint": pd.util.hash_pandas_object(rows, index=False).to_numpy() / 2.0**64,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def spec(self, examples: list[Task]) -> Spec:
        return Spec(label="viral", split="split", inputs=("fingerprint",))

    def fit(self, examples: list[Task], seed: int, progress: Any) -> dict[str, Any]:
        from tasks.applications.social.sizes import fit_size_model

        fitted = {}
        for done, task in enumerate(examples):
            progress(f"seed {seed}: {task.name}", done, len(examples))
            x, size = task.x[task.train], task.size[task.train]
            fitted[task.name] = fit_size_model(x, size, task.threshold, seed)
        return fitted

    def trials(self, examples: list[Task], fitted: list[dict[str, Any]]) -> list[Trial]:
        from tasks.applications.social.peers import boosting, ours
        from tasks.applications.social.sizes import crps_log, log_score

        trials = []
        # Boosting is not random, so one fit is used for all seeds.
        peers = {t.name: boosting(fitted[0][t.name], t.size[t.train], t.x[t.test]) for t in examples}
        for seed, models in enumerate(fitted):
            for task in examples:
                model, size = models[task.name], task.size[task.test]
                said = ours(model, task.x[task.test]) | peers[task.name]
                prefix = "" if task is examples[0] else f"{task.name}_"
                suffix = "" if task is examples[0] else f", {task.name}"

                def named(measure: Measure, prefix: str = prefix, suffix: str = suffix) -> Measure:
                    return Measure(prefix + measure.name, measure.title + suffix, measure.of, measure.better)

                large = {name: answer.large for name, answer in said.items()}
                viral = task.viral[task.test].astype(int)
                trials.append(Trial((named(AUROC), named(AP)), seed, viral, large))
                error = {n: np.abs(a.median / size - 1) for n, a in said.items() if a.median is not None}
                trials.append(Trial((named(ERROR),), seed, size, error))
                whole = {n: a.cumulative for n, a in said.items() if a.cumulative is not None}
                for measure, score in ((CRPS, crps_log), (LOG_SCORE, log_score)):
                    scored = {name: score(c, model.steps, size) for name, c in whole.items()}
                    trials.append(Trial((named(measure),), seed, size, scored))
                trials += _by_age(task, seed, viral, large)
        return trials

    def answers(
        self, examples: list[Task], fitted: list[dict[str, Any]], trials: list[Trial]
    ) -> list[pd.DataFrame]:
        from tasks.applications.social.sizes import median

        frames = []
        for models in fitted:
            for task in examples:
                model = models[task.name]
                cumulative = model.cumulative(task.x[task.test])[0]
                said = {
                    "example": [f"{task.name} row {i + 1}" for i in task.test],
                    "truth": task.size[task.test],
                    "prediction": median(cumulative, model.steps),
                    "probability_viral": 1 - cumulative[:, model.learners.large - 1],
                }
                frames.append(pd.DataFrame(said))
        return frames

    def scene(self, examples: list[Task], fitted: list[dict[str, Any]]) -> Scene:
        task = examples[0]
        model = fitted[0][task.name]
        hints = model.learners.say(task.x[task.test])[1]
        labels = np.where(task.viral[task.test], "viral", "not viral")
        caption = (
            f"{task.name}: −log P(viral | x) over the first two principal components of the learners' "
            "outputs for the test rows. Areas without rows are blank."
        )
        columns = ("boosting", "trees", "logistic", "forest", "forest's mean")
        return Scene(hints, model.viral_energy, labels, columns, caption)

    def curves(self, fitted: list[dict[str, Any]]) -> dict[str, list[float]]:
        return {
            f"validation/{name}/seed-{seed}": model.fit.validation.mean(1).tolist()
            for seed, models in enumerate(fitted)
            for name, model in models.items()
        }

    def pictures(
        self, examples: list[Task], fitted: list[dict[str, Any]], trials: list[Trial]
    ) -> list[Picture]:
        found = []
        for task in examples:
            model = fitted[0][task.name]
            cumulative = model.cumulative(task.x[task.test])[0]
            found += [_densities(task, model.steps, cumulative), _calibration(task, model.steps, cumulative)]
        return found

    def model(self, fitted: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        import torch

        tensors: dict[str, Any] = {}
        config: dict[str, Any] = {"base": "quantile forest and analogues, refitted with the seed", "seed": 0}
        for name, model in fitted[0].items():
            tensors |= {f"{name}.energy.{k}": v for k, v in model.fit.module.state_dict().items()}
            for part in ("centre", "spread"):
                tensors[f"{name}.{part}"] = torch.as_tensor(getattr(model, part))
            config[name] = {
                "edges": model.steps.edges.tolist(),
                "best_step": model.fit.best_step,
                "forest_weight": model.base.weight,
            }
        return tensors, config

    def notes(self, examples: list[Task], scores: dict[str, Any]) -> list[str]:
        found = [
            "Viral means at or above the ninth decile of the training sizes. The base, which the energy "
            "tilts, is a pool of two distributions: that of a quantile forest, and that of training rows "
            "with a similar mean score of tuned boosting, trees, logistic regression and forest. The peer "
            "boosting has the default settings of its library."
        ]
        if any(task.weeks is not None for task in examples):
            skilled = [name for name in scores["intervals"]["ebm"] if "_weeks_" in name]
            gone = [name for name in skilled if scores["intervals"]["ebm"][name][0] <= 0.5]
            reach = scores["measures"][skilled[-1]]["title"].split("AUROC ")[-1]
            found += [
                f"Articles: the {scores['measures'][gone[0]]['title']} is the first that is not "
                "significantly above .5."
                if gone
                else f"Articles: skill is significant to the end of the file, {reach}.",
                "Articles: the inputs include past shares of keywords and references, as computed by the "
                "publisher. Whether these were known before publication cannot be checked from the file.",
            ]
        return found


def _by_age(task: Task, seed: int, viral: np.ndarray, large: dict[str, np.ndarray]) -> list[Trial]:
    """Return trials for the AUROC in periods of two weeks after the last training row."""
    if task.weeks is None:
        return []
    trials = []
    for start in range(int(task.weeks.min()), int(np.ceil(task.weeks.max())), 2):
        rows = (task.weeks >= start) & (task.weeks < start + 2)
        if min(viral[rows].sum(), (~viral[rows].astype(bool)).sum()) < 10:
            continue
        words = f"AUROC {start} to {start + 2} weeks after the last training article"
        measure = Measure(f"{task.name}_auroc_weeks_{start}", words, AUROC.of)
        trials.append(Trial((measure,), seed, viral[rows], {"ebm": large["ebm"][rows]}))
    return trials


def _cascades(path: Path) -> Task:
    table = pd.read_csv(path)
    x = table.drop(columns=["cascade", "final_size"])
    return _split("cascades", x, table["final_size"].to_numpy(float), round(TRAINING * len(table)))


def _articles(path: Path) -> Task:
    """Read the articles, oldest first. ``timedelta`` is the number of days from publication to collection."""
    table = pd.read_csv(path)
    x = table.drop(columns=["article", "url", "timedelta", "shares"])
    age = table["timedelta"].to_numpy(float)
    cut = round(TRAINING * len(table))
    train = np.flatnonzero(age >= age[cut] + EMBARGO)
    test = np.arange(cut, len(table))
    weeks = (age[train].min() - age[test]) / 7
    values = x.to_numpy(float)
    return Task("articles", tuple(x.columns), values, table["shares"].to_numpy(float), train, test, weeks)


def _split(name: str, x: pd.DataFrame, size: np.ndarray, cut: int) -> Task:
    rows = np.arange(len(x))
    return Task(name, tuple(x.columns), x.to_numpy(float), size, rows[:cut], rows[cut:])


def _task(path: Path, rows: pd.DataFrame, label: str, cut: int) -> Task:
    size = rows[label].to_numpy()
    bad = np.flatnonzero(size < 1)
    if len(bad):
        raise BasinError(
            f"{path}: column {label}, row {bad[0] + 1}: {size[bad[0]]:g}; expected a size of 1 or more"
        )
    if len(np.unique(size)) < 10:
        raise BasinError(
            f"{path}: column {label} has {len(np.unique(size))} different values; expected sizes with 10 or "
            "more (use another application for classes)"
        )
    if min(cut, len(rows) - cut) < FEWEST / 4 or cut < FEWEST:
        raise BasinError(
            f"{path}: {cut} training rows; expected {FEWEST} or more, and at least {FEWEST // 4} test rows"
        )
    task = _split(path.name.split(".")[0], rows.drop(columns=label), size, cut)
    viral = task.viral[task.test]
    if viral.all() or not viral.any():
        raise BasinError(
            f"{path}: {int(viral.sum())} of {len(viral)} test rows are viral; expected some but not all, so "
            "give more rows"
        )
    return task


def _densities(task: Task, steps: Any, cumulative: np.ndarray) -> Picture:
    """Draw the forecast distributions of five test rows, from small to large forecasts."""
    from tasks.reporting.maps import canvas, drawing, png

    order = np.argsort(-(cumulative @ steps.width))[::-1]
    shown = order[np.linspace(0, len(order) - 1, 5).round().astype(int)]
    with drawing:
        figure, axes = canvas()
        for i, style in zip(shown, ("-", "--", "-.", ":", (0, (8, 2))), strict=True):
            survival = 1 - np.r_[0, cumulative[i]]
            (line,) = axes.plot(steps.edges, survival, linestyle=style, label=f"row {task.test[i] + 1}")
            at = task.size[task.test[i]]
            axes.plot(at, np.interp(at, steps.edges, survival), "o", color=line.get_color())
        axes.axvline(task.threshold, color="#5a6663", linestyle=":", label="viral from here")
        seen = np.quantile(task.size, [0, 0.995])
        axes.set(xscale="log", xlim=(seen[0] * 0.9, seen[1] * 1.2), xlabel="size", ylabel="P(larger)")
        axes.legend(fontsize=8)
        picture = png(figure)
    caption = "Probability of exceeding each size, for five test rows. The dots are their outcomes."
    return Picture(f"survival-{task.name}", f"{task.name}: how large will it be?", caption, picture)


def _calibration(task: Task, steps: Any, cumulative: np.ndarray) -> Picture:
    """Draw observed frequencies against forecast probabilities of exceeding three sizes."""
    from tasks.reporting.maps import canvas, drawing, png

    edges = np.searchsorted(steps.edges, np.quantile(task.size[task.train], [0.5, 0.75, 0.9]))
    with drawing:
        figure, axes = canvas()
        axes.plot([0, 1], [0, 1], color="#5a6663", linestyle=":")
        lines = {"median": "o-", "third quartile": "s--", "ninth decile": "^-."}
        for edge, (words, line) in zip(edges, lines.items(), strict=True):
            chance = 1 - cumulative[:, edge - 1]
            came = task.size[task.test] >= steps.edges[edge]
            groups = np.array_split(np.argsort(chance), 10)
            axes.plot([chance[g].mean() for g in groups], [came[g].mean() for g in groups], line, label=words)
        axes.set(xlabel="forecast probability of exceeding", ylabel="observed share")
        axes.legend(title="of the training sizes", fontsize=8)
        picture = png(figure)
    caption = "Test rows in ten groups by forecast probability. Calibrated forecasts lie on the dotted line."
    return Picture(f"calibration-{task.name}", f"{task.name}: calibration", caption, picture)


APPLICATION = Social()
