"""Checks of labelled rows: class balance, shortcuts, proxies, duplicates, coverage of places, fairness."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tasks.checks.check import Check, Outcome
from tasks.checks.table.evidence import TableEvidence
from tasks.runtime.errors import BasinError

FOLDS = 5
FEWEST = 100
"""Least number of rows in a group for which rates are compared."""


def balance(e: TableEvidence) -> Outcome:
    """Check that the rarer class has enough rows."""
    if e.spec.label is None:
        return Outcome("not given", 30, "not applicable", "the spec has no label")
    label = _binary(e, e.spec.label).dropna()
    count, rate = int(label.sum()), float(label.mean())
    least = int(e.threshold("balance.positives", 30))
    smaller = min(count, len(label) - count)
    return Outcome(
        {"rows of the rarer class": smaller, "base rate": round(rate, 4)}, least,
        "fail" if smaller < least else "warn" if min(rate, 1 - rate) < 0.05 else "pass",
        "too few rows of one class to train or to evaluate a model" if smaller < least
        else f"compare average precision with the base rate, {rate:.3f}",
    )  # fmt: skip


def shortcut(e: TableEvidence) -> Outcome:
    """Check whether the label can be predicted from the origin of a row alone."""
    if e.spec.label is None or not e.spec.source:
        return Outcome("not given", 0.6, "not applicable", "the spec has no label or no source columns")
    limit = e.threshold("shortcut.auroc", 0.6)
    each = {name: _auroc(e, [name], e.spec.label) for name in e.spec.source}
    areas = {"together": _auroc(e, list(e.spec.source), e.spec.label), **each}
    bad = max(area.value for area in areas.values()) > limit
    at_fault = tuple(name for name, area in each.items() if area.value > limit)
    return Outcome(
        _measured(areas), limit, "fail" if bad else "pass",
        "the source of a row predicts its label, so a model may learn the source" if bad
        else "the source of a row does not predict its label", at_fault,
    )  # fmt: skip


def proxies(e: TableEvidence) -> Outcome:
    """Check whether a single input predicts a protected or source attribute."""
    hidden = [*e.spec.protected, *e.spec.source]
    if not hidden or not e.inputs:
        return Outcome("not given", 0.8, "not applicable", "the spec has no protected or source columns")
    limit = e.threshold("proxies.auroc", 0.8)
    areas, at_fault = {}, []
    for attribute in hidden:
        for column in e.inputs:
            area = areas[f"{attribute} from {column}"] = _auroc(e, [column], attribute)
            if area.value > limit:
                at_fault.append(f"{column} predicts {attribute} (AUROC {area})")
    largest = dict(sorted(areas.items(), key=lambda item: -item[1].value)[:10])
    return Outcome(
        _measured(largest), limit, "fail" if at_fault else "pass",
        "a model can infer the attribute from these inputs" if at_fault
        else "no input predicts a protected or source attribute",
        tuple(at_fault),
    )  # fmt: skip


def copies(e: TableEvidence) -> Outcome:
    """Check for test rows whose inputs equal those of a training row."""
    if e.spec.split is None or not e.inputs:
        return Outcome("not given", 0.01, "not applicable", "the spec has no split or no inputs")
    limit = e.threshold("copies.share", 0.01)
    test = (e.frame[e.spec.split] == "test").to_numpy()
    hashes = pd.util.hash_pandas_object(e.frame[e.inputs], index=False).to_numpy()
    again = test & np.isin(hashes, hashes[~test])
    share = float(again.sum() / max(test.sum(), 1))
    return Outcome(
        round(share, 4), limit, "fail" if share > limit else "warn" if share else "pass",
        "test rows are copies of training rows: put all copies of a row in the same part" if share
        else "no test row is a copy of a training row",
        tuple(f"row {row + 1}" for row in np.flatnonzero(again)[:5]),
    )  # fmt: skip


def places(e: TableEvidence) -> Outcome:
    """Check that enough of the boxes of 30° by 30° in the region of the data have rows."""
    if e.spec.latitude is None or e.spec.longitude is None:
        return Outcome("not given", 0.5, "not applicable", "the spec has no latitude or no longitude")
    lat, lon = e.numbers(e.spec.latitude), e.numbers(e.spec.longitude)
    there = (np.isfinite(lat) & np.isfinite(lon)).to_numpy()
    if not there.any():
        why = f"columns {e.spec.latitude} and {e.spec.longitude} have no numbers"
        return Outcome("no places", 0.5, "fail", why)
    wrong = np.flatnonzero((lat.abs() > 90) | (lon.abs() > 360))
    lat, lon = lat[there], lon[there]
    boxes = pd.Series(list(zip(lat // 30, lon // 30, strict=True))).value_counts(normalize=True)
    spanned = int((lat.max() // 30 - lat.min() // 30 + 1) * (lon.max() // 30 - lon.min() // 30 + 1))
    share = len(boxes) / max(spanned, 1)
    least = e.threshold("places.boxes", 0.5)
    faults = tuple(f"row {row + 1}: latitude beyond 90° or longitude beyond 360°" for row in wrong[:5])
    bad = bool(faults) or share < least
    return Outcome(
        {"boxes with rows": round(share, 3), "rows in the fullest box": round(float(boxes.max()), 3)},
        least, "fail" if faults else "warn" if bad else "pass",
        "some places are impossible" if faults else "large parts of the region have no rows" if bad
        else "rows are spread over the region", faults,
    )  # fmt: skip


def fairness(e: TableEvidence) -> Outcome:
    """Compare selection rates and error rates between the groups of each protected column."""
    if e.spec.label is None or e.spec.prediction is None or not e.spec.protected:
        return Outcome(
            "not given", 0.8, "not applicable", "the spec lacks a label, a prediction or protected columns"
        )
    from fairlearn.metrics import demographic_parity_ratio, equalized_odds_difference

    ratio_limit, odds_limit = e.threshold("fairness.ratio", 0.8), e.threshold("fairness.odds", 0.1)
    label = _binary(e, e.spec.label)
    answer = _binary(e, e.spec.prediction, sorted(_words(e.frame[e.spec.label]).dropna().unique()))
    judged = (label.notna() & answer.notna()).to_numpy()
    measured, faults, warned = {}, [], []
    for column in e.spec.protected:
        group = e.frame[column].astype(str)
        sizes = group.value_counts()
        kept = group.isin(sizes[sizes >= FEWEST].index).to_numpy() & judged
        warned += [
            f"{column} {name}: {size} rows, fewer than {FEWEST}"
            for name, size in sizes[sizes < FEWEST].items()
        ]
        if group[kept].nunique() < 2:
            continue
        rest = {"sensitive_features": group[kept]}
        ratio = float(demographic_parity_ratio(label[kept], answer[kept], **rest))
        odds = float(equalized_odds_difference(label[kept], answer[kept], **rest))
        if not np.isfinite([ratio, odds]).all():
            warned.append(f"{column}: no row is selected in any group")
            continue
        measured[column] = {"selection ratio": round(ratio, 3), "equalised odds": round(odds, 3)}
        if ratio < ratio_limit:
            faults.append(f"{column}: selection ratio {ratio:.2f}")
        if odds > odds_limit:
            faults.append(f"{column}: equalised-odds difference {odds:.2f}")
    return Outcome(
        measured, {"selection ratio": ratio_limit, "equalised odds": odds_limit},
        "fail" if faults else "warn" if warned else "pass",
        "rates differ between groups: consider fairlearn.postprocessing.ThresholdOptimizer" if faults
        else "rates are similar in all groups that could be compared", tuple(faults + warned),
    )  # fmt: skip


def _binary(e: TableEvidence, column: str, values: list[str] | None = None) -> pd.Series:
    """Convert a column of two values to 0 and 1, in sorted order, with NaN for empty cells.

    A prediction is converted by the ``values`` of the label. Raises ``BasinError`` for other values.
    """
    text = _words(e.frame[column])
    known = values or sorted(text.dropna().unique())
    strange = sorted(set(text.dropna()) - set(known))
    if len(known) != 2 or strange:
        found = ", ".join([*known, *strange][:5])
        raise BasinError(f"column {column}: expected two values, found {found or 'none'}")
    return text.map({known[0]: 0.0, known[1]: 1.0})


def _words(values: pd.Series) -> pd.Series:
    """Return cells as text, with NaN for empty cells. Equal numbers have equal text, and True counts as 1."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if numbers.notna().sum() == values.notna().sum():
        return numbers.map("{:g}".format).where(numbers.notna())
    return values.astype(str).where(values.notna())


class Area(NamedTuple):
    """AUROC with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f}, 95 % interval {self.low:.2f} to {self.high:.2f}"


def delong(target: np.ndarray, score: np.ndarray) -> Area:
    """Return the AUROC of a score for a target of 0 and 1, with its interval.

    Reference: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, computed by ranks as in Sun and Xu
    (2014), IEEE Signal Processing Letters 21(11).
    """
    from scipy.stats import norm, rankdata

    positive, negative = score[target == 1], score[target == 0]
    ranks = rankdata(np.concatenate([positive, negative]))
    m, n = len(positive), len(negative)
    above = (ranks[:m] - rankdata(positive)) / n
    under = 1 - (ranks[m:] - rankdata(negative)) / m
    value = float(above.mean())
    half = float(norm.ppf(0.975) * np.sqrt(above.var(ddof=1) / m + under.var(ddof=1) / n))
    return Area(value, max(0.0, value - half), min(1.0, value + half))


def _measured(areas: dict[str, Area]) -> dict[str, Any]:
    """Return areas and their intervals as they are written in an audit."""
    intervals = {name: [round(area.low, 3), round(area.high, 3)] for name, area in areas.items()}
    return {**{name: round(area.value, 3) for name, area in areas.items()}, "95 % intervals": intervals}


def _auroc(e: TableEvidence, columns: list[str], attribute: str) -> Area:
    """Return the cross-validated AUROC of boosted trees for the attribute's most frequent value.

    It is 0.5 if it would be below, which is worse than chance, or if there are too few rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    text = e.frame[attribute].astype(str)
    target = (text == text.mode().iloc[0]).to_numpy().astype(int)
    if min(target.sum(), len(target) - target.sum()) < 2 * FOLDS:
        return Area(0.5, 0.0, 1.0)
    features = pd.DataFrame(
        {
            c: n if (n := e.numbers(c)).notna().mean() > 0.5 else e.frame[c].astype("category").cat.codes
            for c in columns
        }
    )
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    told = cross_val_predict(model, features, target, cv=folds, method="predict_proba")[:, 1]
    area = delong(target, told)
    return area._replace(value=max(area.value, 0.5), high=max(area.high, 0.5))


CHECKS = (
    Check(
        id="balance",
        title="Both classes have enough rows",
        question="Are there enough rows of the rarer class to train and evaluate a model?",
        method="Number of rows of the rarer class, and the base rate, which is the average precision of a "
        "forecast without skill.",
        reference="Saito and Rehmsmeier (2015), PLoS ONE 10(3)",
        run=balance,
    ),
    Check(
        id="shortcut",
        title="The source does not predict the label",
        question="Could a model predict the label from the origin of a row, such as the device or site?",
        method="Cross-validated AUROC for the label from the source columns alone.",
        reference="Geirhos et al. (2020), Shortcut learning, Nature Machine Intelligence 2",
        run=shortcut,
    ),
    Check(
        id="proxies",
        title="No input is a proxy",
        question="Can a protected or source attribute be predicted from an input?",
        method="Cross-validated AUROC for each such attribute from each single input.",
        reference="Barocas, Hardt and Narayanan (2023), Fairness and Machine Learning, ch. 3",
        run=proxies,
    ),
    Check(
        id="copies",
        title="No test row is a training row",
        question="Are there rows with the same inputs on both sides of the split?",
        method="Share of test rows whose inputs equal those of a training row.",
        reference="Kapoor and Narayanan (2023), Leakage and the reproducibility crisis, Patterns 4(9)",
        run=copies,
    ),
    Check(
        id="places",
        title="The region is covered",
        question="Are large parts of the region without rows?",
        method="Share of 30° boxes with rows, of all between the outermost latitudes and longitudes.",
        reference="",
        run=places,
    ),
    Check(
        id="fairness",
        title="Groups of persons are treated alike",
        question="Do rates of selection or of errors differ between groups?",
        method=f"Demographic parity ratio and equalised-odds difference by fairlearn, for groups of {FEWEST} "
        "rows or more.",
        reference="Bird et al. (2020), Fairlearn, MSR-TR-2020-32",
        run=fairness,
    ),
)
