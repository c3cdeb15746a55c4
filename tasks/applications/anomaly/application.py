"""Anomaly detection in tables: an energy fitted on normal rows, compared with classical detectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.applications.harness.application import Application, Given, Picture, Scene
from tasks.applications.harness.measures import AP, AUROC
from tasks.applications.harness.stored_model import Scored, Stored, p_values
from tasks.applications.harness.trials import Trial
from tasks.checks.table.evidence import Spec
from tasks.runtime.errors import BasinError

FEWEST = 20
"""Smallest number of normal rows that a table may have."""
EXPLAINED = 100
"""Number of rows of highest energy, per table, for which the columns that raise the energy are listed."""
WORST_FIT = 0.03
"""A table is named in the notes if its AUROC or average precision is this much below the median peer's."""
MARKS = "0 for normal rows and 1 for anomalies"
"""Expected content of the label column, for error messages."""


@dataclass(frozen=True)
class Table:
    """One table: rows ``x`` ``(n, d)`` and whether each is ``anomalous`` ``(n,)``.

    ``trained`` marks the rows of a training file, or is None if the rows were not divided by the user.
    """

    name: str
    columns: tuple[str, ...]
    x: np.ndarray
    anomalous: np.ndarray
    trained: np.ndarray | None = None

    def training(self, seed: int) -> np.ndarray:
        """Return the positions of the training rows: those of the training file, or half the normal rows."""
        if self.trained is not None:
            return np.flatnonzero(self.trained)
        normal = np.flatnonzero(~self.anomalous)
        return np.sort(np.random.default_rng(seed).permutation(normal)[: len(normal) // 2])


class Anomaly(Application):
    name = "anomaly"
    title = "Anomalies in tables"
    question = (
        "Which rows are anomalies? The energy and every peer are fitted on half of the normal rows and rank "
        "all other rows. No anomaly and no label of one is used in fitting. AUROC is the probability that an "
        "anomaly has a higher energy than a normal row."
    )
    sources = ("breast_cancer", "wine", "digits")
    reference = "knn5"

    def read(self, given: Given, sources: dict[str, Any]) -> list[Table]:
        if not given.own:
            return [_bundled(name, sources[name]) for name in self.sources]
        if given.data is None:
            return [_divided(given)]
        if given.train or given.test:
            raise BasinError(
                "--data excludes --train and --test; give --data alone, or both --train and --test"
            )
        if not given.data.is_dir():
            return [_table(given.data, given.label)]
        files = sorted(p for p in given.data.iterdir() if p.suffix in (".npz", ".csv", ".parquet"))
        if not files:
            raise BasinError(
                f"{given.data}: no .npz, .csv or .parquet file in this folder; give a folder with one"
            )
        return [_table(path, given.label) for path in files]

    def table(self, examples: list[Table]) -> pd.DataFrame:
        parts = []
        for table in examples:
            split = np.full(len(table.x), "test", dtype=object)
            split[table.training(0)] = "train"
            rows = pd.DataFrame(table.x)
            parts.append(
                pd.DataFrame(
                    {
                        "example": [f"{table.name} row {i + 1}" for i in range(len(rows))],
                        "table": table.name,
                        "split": split,
                        "anomalous": table.anomalous.astype(int),
                        "finite": np.isfinite(table.x).all(1).astype(int),
                        # A hash of the row, by which the audit finds duplicates.
                        "fingerprint": pd.util.hash_pandas_object(rows, index=False).to_numpy() / 2.0**64,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def spec(self, examples: list[Table]) -> Spec:
        return Spec(label="anomalous", split="split", inputs=("fingerprint",))

    def fit(self, examples: list[Table], seed: int, progress: Any) -> dict[str, dict[str, Any]]:
        from tasks.applications.anomaly.experts import TabularEnergy, peers

        fitted = {}
        for done, table in enumerate(examples):
            progress(f"seed {seed}: {table.name}", done, len(examples))
            normal = table.x[table.training(seed)]
            fitted[table.name] = {"ebm": TabularEnergy(normal, seed), **peers(normal, seed)}
        return fitted

    def trials(self, examples: list[Table], fitted: list[dict[str, dict[str, Any]]]) -> list[Trial]:
        trials = []
        for seed, models in enumerate(fitted):
            for table in examples:
                rows = np.setdiff1d(np.arange(len(table.x)), table.training(seed))
                answers = {name: model(table.x[rows]) for name, model in models[table.name].items()}
                truth = table.anomalous[rows].astype(int)
                trials.append(Trial((AUROC, AP), seed, truth, answers, unit=rows, group=table.name))
        return trials

    def answers(
        self, examples: list[Table], fitted: list[dict[str, dict[str, Any]]], trials: list[Trial]
    ) -> list[pd.DataFrame]:
        from tasks.applications.harness.answers import raised_by

        frames, table_of = [], {table.name: table for table in examples}
        for trial in trials:
            table, energy = table_of[trial.group], trial.answers["ebm"]
            names = [f"{table.name} row {i + 1}" for i in trial.units]
            frame = pd.DataFrame({"example": names, "truth": trial.truth, "energy": energy, "raised_by": ""})
            if trial.seed == 0:
                top = np.argsort(-energy)[:EXPLAINED]
                parts = fitted[0][table.name]["ebm"].contributions(table.x[trial.units[top]])
                frame.loc[top, "raised_by"] = raised_by(parts, table.columns)
            frames.append(frame)
        return frames

    def scene(self, examples: list[Table], fitted: list[dict[str, dict[str, Any]]]) -> Scene:
        table = max(examples, key=lambda t: len(t.x))
        labels = np.where(table.anomalous, "anomaly", "normal")
        caption = (
            f"{table.name}: the energy over the plane of the first two principal components of the rows. It "
            "was fitted on normal rows. Areas without rows are blank."
        )
        return Scene(table.x, fitted[0][table.name]["ebm"], labels, table.columns, caption)

    def pictures(
        self, examples: list[Table], fitted: list[dict[str, dict[str, Any]]], trials: list[Trial]
    ) -> list[Picture]:
        first = [trial for trial in trials if trial.seed == 0]
        shown = sorted(zip(examples, first, strict=True), key=lambda pair: -len(pair[0].x))[:3]
        pictures = [_energies(table, trial) for table, trial in shown]
        return pictures + [_features(table, trial, fitted[0][table.name]["ebm"]) for table, trial in shown]

    def model(self, fitted: list[dict[str, dict[str, Any]]]) -> tuple[dict[str, Any], dict[str, Any]]:
        import torch

        from tasks.applications.anomaly.experts import NEIGHBOURS, REACH

        tensors = {}
        for name, models in fitted[0].items():
            energy = models["ebm"]
            tensors[f"{name}.normal"] = torch.as_tensor(energy.normal)
            tensors[f"{name}.centre"] = torch.as_tensor(energy.centre)
            tensors[f"{name}.spread"] = torch.as_tensor(energy.spread)
        experts = ["marginals", "dependence", "neighbours"]
        config = {"seed": 0, "experts": experts, "neighbours": NEIGHBOURS, "reach": REACH}
        return tensors, config

    def signature(self, examples: list[Table], fitted: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
        return {"columns": {table.name: table.columns for table in examples}}

    def score(self, stored: Stored, path: Path) -> Scored:
        """Score the rows of a file with the model of the table that has the same columns.

        The energy is fitted again on the stored normal rows.
        """
        from tasks.applications.anomaly.experts import TabularEnergy, held_out_energies
        from tasks.applications.harness.answers import raised_by
        from tasks.applications.harness.tables import read_numbers

        rows = read_numbers(path, None)
        known = stored.signature["columns"]
        name = next((name for name, columns in known.items() if set(columns) == set(rows)), None)
        if name is None:
            columns = next(iter(known.values()))
            missing = [f"no {c}" for c in columns if c not in rows]
            odd = ", ".join([*missing[:3], *(f"unknown {c}" for c in rows if c not in columns)][:5])
            raise BasinError(f"{path}: columns differ from those of the model ({odd}); give the same columns")
        x = rows[list(known[name])].to_numpy()
        normal, seed = stored.tensors[f"{name}.normal"].numpy(), stored.config["seed"]
        model = TabularEnergy(normal, seed)
        energy = model(x)
        p = p_values(energy, held_out_energies(normal, seed))
        names = [f"{path.name} row {i + 1}" for i in range(len(x))]
        found = pd.DataFrame({"example": names, "energy": energy, "p_value": p, "raised_by": ""})
        top = np.argsort(-energy)[:EXPLAINED]
        found.loc[top, "raised_by"] = raised_by(model.contributions(x[top]), known[name])
        return Scored(found)

    def notes(self, examples: list[Table], scores: dict[str, Any]) -> list[str]:
        behind = []
        for name, of in scores["groups"].items():
            for measure, title in (("auroc", "AUROC"), ("ap", "average precision")):
                middle = float(np.median([of[m][measure] for m in of if m != "ebm"]))
                if of["ebm"][measure] < middle - WORST_FIT:
                    behind.append(f"{name} ({title} {of['ebm'][measure]:.3f} against {middle:.3f})")
        words = "On no table is the energy more than .03 below the median peer in AUROC or average precision."
        if behind:
            words = f"The energy is more than .03 below the median peer on: {', '.join(behind)}."
        few = [t.name for t in examples if t.anomalous.sum() < 30]
        found = [
            words,
            "The contribution of a column to an energy is how much the energy falls when the value is "
            "replaced by the median of the normal rows. Contributions of columns that act together are not "
            "separated.",
        ]
        if few:
            found.append(f"Figures are uncertain for tables with fewer than 30 anomalies: {', '.join(few)}.")
        return found


def _bundled(name: str, bunch: Any) -> Table:
    """Return a table of scikit-learn in which one class counts as anomalous."""
    anomaly = {"breast_cancer": 0, "wine": 2, "digits": 4}[name]
    columns = tuple(str(column) for column in bunch.feature_names)
    return Table(name, columns, np.asarray(bunch.data, float), np.asarray(bunch.target) == anomaly)


def _table(path: Path, label: str | None) -> Table:
    from tasks.applications.harness.tables import read_numbers

    if label is None and path.suffix != ".npz":
        raise BasinError(f"{path}: the column that marks anomalies is not known; name it with --label")
    label = label or "y"
    rows = read_numbers(path, label, MARKS)
    x = rows.drop(columns=label)
    table = Table(path.name.split(".")[0], tuple(x.columns), x.to_numpy(), _marks(path, rows[label]))
    _require_normal(path, table.x[~table.anomalous])
    return table


def _require_normal(path: Path, normal: np.ndarray) -> None:
    if len(normal) < FEWEST:
        raise BasinError(f"{path}: {len(normal)} normal rows; expected {FEWEST} or more, so add rows")
    if not np.ptp(normal, axis=0).any():
        raise BasinError(f"{path}: all normal rows are equal; expected rows that differ")


def _divided(given: Given) -> Table:
    """Return one table of ``--train`` and ``--test``; its training part is the normal rows of ``--train``."""
    from tasks.applications.harness.tables import read_numbers

    if given.train is None or given.test is None:
        raise BasinError("--train and --test need each other; give both, or --data alone")
    label = given.label or "y"
    test = read_numbers(given.test, label, MARKS)
    train = read_numbers(given.train, label, MARKS)
    if set(train) != set(test):
        odd = sorted(set(train.columns) ^ set(test.columns))
        raise BasinError(
            f"{given.test}: columns differ from those of {given.train} ({', '.join(odd[:5])}); give the same"
        )
    if not train[label].isin([0, 1]).all():
        raise BasinError(f"{given.train}: column {label}: expected 0 (normal) or 1 (anomaly) in every row")
    train = train[train[label] == 0]
    _require_normal(given.train, train.drop(columns=label).to_numpy())
    rows = pd.concat([train, test[train.columns]], ignore_index=True)
    marks = np.r_[np.zeros(len(train), bool), _marks(given.test, test[label])]
    x = rows.drop(columns=label)
    trained = np.arange(len(rows)) < len(train)
    return Table(given.test.name.split(".")[0], tuple(x.columns), x.to_numpy(), marks, trained)


def _marks(path: Path, label: pd.Series) -> np.ndarray:
    values = sorted(label.unique())
    if values != [0, 1]:
        found = ", ".join(f"{v:g}" for v in values[:5])
        why = "one class only" if len(values) == 1 else f"values {found}"
        raise BasinError(f"{path}: column {label.name}: {why}; expected 0 (normal) and 1 (anomaly)")
    return (label == 1).to_numpy()


def _energies(table: Table, trial: Trial) -> Picture:
    from tasks.reporting.maps import canvas, drawing, png

    energy, anomalous = trial.answers["ebm"], trial.truth == 1
    with drawing:
        figure, axes = canvas()
        low, high = np.quantile(energy, [0, 0.99])
        bins = np.linspace(low, high, 50)
        shown = np.clip(energy, bins[0], bins[-1])
        for part, colour, hatch, words in (
            (~anomalous, "#0072b2", "", "normal"), (anomalous, "#e69f00", "///", "anomaly"),
        ):  # fmt: skip
            axes.hist(shown[part], bins, density=True, alpha=0.6, color=colour, hatch=hatch, label=words)
        axes.set(xlabel="energy", ylabel="density of test rows")
        axes.legend()
        picture = png(figure)
    caption = "Histogram of the energies of test rows. The last bar includes all higher energies."
    return Picture(
        f"energies-{table.name}", f"{table.name}: energies of normal and anomalous rows", caption, picture
    )


def _features(table: Table, trial: Trial, energy: Any) -> Picture:
    """Plot the contributions of columns to the energy, for the five test rows of highest energy."""
    from tasks.reporting.maps import canvas, drawing, png

    top = np.argsort(-trial.answers["ebm"])[:5]
    rows = trial.units[top]
    parts = energy.contributions(table.x[rows])
    columns = np.argsort(-parts.max(0))[:8]
    with drawing:
        figure, axes = canvas()
        image = axes.imshow(parts[:, columns], cmap="YlOrBr", aspect="auto", vmin=0)
        axes.set_xticks(range(len(columns)), [table.columns[j] for j in columns], rotation=35, ha="right")
        marks = ["anomaly" if trial.truth[i] else "normal" for i in top]
        axes.set_yticks(range(5), [f"row {r + 1} ({m})" for r, m in zip(rows, marks, strict=True)])
        for i in range(5):
            for k, j in enumerate(columns):
                axes.text(k, i, f"{table.x[rows[i], j]:.3g}", ha="center", va="center", fontsize=8)
        figure.colorbar(image, ax=axes, label="contribution to the energy")
        picture = png(figure)
    caption = (
        "The five test rows of highest energy and the columns that raise it most. A cell shows the value, "
        "and its colour how much energy the value adds in comparison with the median of the normal rows."
    )
    return Picture(f"features-{table.name}", f"{table.name}: columns that raise the energy", caption, picture)


APPLICATION = Anomaly()
