"""Checks of labelled rows: balance, shortcuts, proxies, copies over the split, fairness, places."""

import numpy as np
import pandas as pd

from tasks.checks.check import Check, Outcome
from tasks.checks.table.evidence import TableEvidence
from tasks.runtime.errors import BasinError

FOLDS = 5
FEWEST = 100
"""Rows of a group that a rate is stated for."""


def balance(e: TableEvidence) -> Outcome:
    """Positives of the label, and the average precision of knowing nothing."""
    if e.spec.label is None:
        return Outcome("not given", 30, "not applicable", "the spec names no label")
    label = _binary(e, e.spec.label).dropna()
    count, rate = int(label.sum()), float(label.mean())
    least = int(e.threshold("balance.positives", 30))
    smaller = min(count, len(label) - count)
    return Outcome(
        {"rows of the rarer class": smaller, "base rate": round(rate, 4)}, least,
        "fail" if smaller < least else "warn" if min(rate, 1 - rate) < 0.05 else "pass",
        "too few rows of one class to learn or to judge" if smaller < least
        else f"report average precision beside {rate:.3f}, that of knowing nothing",
    )  # fmt: skip


def shortcut(e: TableEvidence) -> Outcome:
    """AUROC of the label from columns that say only how a row was made."""
    if e.spec.label is None or not e.spec.source:
        return Outcome("not given", 0.6, "not applicable", "the spec names no label and source columns")
    limit = e.threshold("shortcut.auroc", 0.6)
    each = {name: round(_auroc(e, [name], e.spec.label), 3) for name in e.spec.source}
    together = round(_auroc(e, list(e.spec.source), e.spec.label), 3)
    worst = max(each.values())
    bad = max(together, worst) > limit
    at_fault = tuple(name for name, value in each.items() if value > limit)
    return Outcome(
        {"together": together, **each}, limit, "fail" if bad else "pass",
        "where a row comes from tells its label: a model learns the source" if bad
        else "where a row comes from does not tell its label", at_fault,
    )  # fmt: skip


def proxies(e: TableEvidence) -> Outcome:
    """Columns from which a protected or source attribute can be told."""
    hidden = [*e.spec.protected, *e.spec.source]
    if not hidden or not e.inputs:
        return Outcome("not given", 0.8, "not applicable", "the spec names no protected or source columns")
    limit = e.threshold("proxies.auroc", 0.8)
    measured, at_fault = {}, []
    for attribute in hidden:
        for column in e.inputs:
            value = _auroc(e, [column], attribute)
            measured[f"{attribute} from {column}"] = round(value, 3)
            if value > limit:
                at_fault.append(f"{column} tells {attribute} (AUROC {value:.2f})")
    return Outcome(
        dict(sorted(measured.items(), key=lambda item: -item[1])[:10]), limit, "fail" if at_fault else "pass",
        "leaving the attribute out does not hide it" if at_fault else "no column stands for another",
        tuple(at_fault),
    )  # fmt: skip


def copies(e: TableEvidence) -> Outcome:
    """Test rows whose inputs are those of a training row, to the last digit."""
    if e.spec.split is None or not e.inputs:
        return Outcome("not given", 0.01, "not applicable", "the spec names no split and inputs")
    limit = e.threshold("copies.share", 0.01)
    test = (e.frame[e.spec.split] == "test").to_numpy()
    hashes = pd.util.hash_pandas_object(e.frame[e.inputs], index=False).to_numpy()
    again = test & np.isin(hashes, hashes[~test])
    share = float(again.sum() / max(test.sum(), 1))
    return Outcome(
        round(share, 4), limit, "fail" if share > limit else "warn" if share else "pass",
        "rows of the test part were learned from: split by what they are copies of" if share
        else "no test row is a copy of a training row",
        tuple(f"row {row + 1}" for row in np.flatnonzero(again)[:5]),
    )  # fmt: skip


def places(e: TableEvidence) -> Outcome:
    """Share of 30° boxes of the spanned region with rows, and of the rows in the fullest box."""
    if e.spec.latitude is None or e.spec.longitude is None:
        return Outcome("not given", 0.5, "not applicable", "the spec names no latitude and longitude")
    lat, lon = e.numbers(e.spec.latitude), e.numbers(e.spec.longitude)
    there = (np.isfinite(lat) & np.isfinite(lon)).to_numpy()
    if not there.any():
        return Outcome("no places", 0.5, "fail", "latitude and longitude hold no numbers")
    wrong = np.flatnonzero((lat.abs() > 90) | (lon.abs() > 360))
    lat, lon = lat[there], lon[there]
    boxes = pd.Series(list(zip(lat // 30, lon // 30, strict=True))).value_counts(normalize=True)
    spanned = int((lat.max() // 30 - lat.min() // 30 + 1) * (lon.max() // 30 - lon.min() // 30 + 1))
    share = len(boxes) / max(spanned, 1)
    least = e.threshold("places.boxes", 0.5)
    faults = tuple(f"row {row + 1}: no place on Earth" for row in wrong[:5])
    bad = bool(faults) or share < least
    return Outcome(
        {"boxes with rows": round(share, 3), "fullest box": round(float(boxes.max()), 3)}, least,
        "fail" if faults else "warn" if bad else "pass",
        "whole regions are not in the data" if bad else "rows are spread over the region", faults,
    )  # fmt: skip


def fairness(e: TableEvidence) -> Outcome:
    """Selection rates and error rates of the groups of each protected column, by fairlearn."""
    if e.spec.label is None or e.spec.prediction is None or not e.spec.protected:
        return Outcome(
            "not given", 0.8, "not applicable", "the spec names no label, prediction and protected columns"
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
            f"{column} {name}: {size} rows, too few to judge" for name, size in sizes[sizes < FEWEST].items()
        ]
        if group[kept].nunique() < 2:
            continue
        rest = {"sensitive_features": group[kept]}
        ratio = float(demographic_parity_ratio(label[kept], answer[kept], **rest))
        odds = float(equalized_odds_difference(label[kept], answer[kept], **rest))
        if not np.isfinite([ratio, odds]).all():
            warned.append(f"{column}: nobody is chosen")
            continue
        measured[column] = {"selection ratio": round(ratio, 3), "equalised odds": round(odds, 3)}
        if ratio < ratio_limit:
            faults.append(f"{column}: selection ratio {ratio:.2f}")
        if odds > odds_limit:
            faults.append(f"{column}: equalised-odds difference {odds:.2f}")
    return Outcome(
        measured, {"selection ratio": ratio_limit, "equalised odds": odds_limit},
        "fail" if faults else "warn" if warned else "pass",
        "groups are treated unlike: fairlearn.postprocessing.ThresholdOptimizer can even them out" if faults
        else "no group is treated unlike the others", tuple(faults + warned),
    )  # fmt: skip


def _binary(e: TableEvidence, column: str, values: list[str] | None = None) -> pd.Series:
    """A column of two values as 0 and 1, the later one in order being 1; NaN where empty.

    ``values`` are those of the label, by which a prediction is read. Raises ``BasinError`` for others.
    """
    text = _words(e.frame[column])
    known = values or sorted(text.dropna().unique())
    strange = sorted(set(text.dropna()) - set(known))
    if len(known) != 2 or strange:
        found = ", ".join([*known, *strange][:5])
        raise BasinError(f"column {column}: expected two values, found {found or 'none'}")
    return text.map({known[0]: 0.0, known[1]: 1.0})


def _words(values: pd.Series) -> pd.Series:
    """Cells as text, numbers and truth values in one form, empty ones NaN."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if numbers.notna().sum() == values.notna().sum():
        return numbers.map("{:g}".format).where(numbers.notna())
    return values.astype(str).where(values.notna())


def _auroc(e: TableEvidence, columns: list[str], attribute: str) -> float:
    """Cross-validated AUROC of the attribute's commonest value against the rest, by boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    text = e.frame[attribute].astype(str)
    target = (text == text.mode().iloc[0]).to_numpy().astype(int)
    if min(target.sum(), len(target) - target.sum()) < 2 * FOLDS:
        return 0.5
    features = pd.DataFrame(
        {
            c: n if (n := e.numbers(c)).notna().mean() > 0.5 else e.frame[c].astype("category").cat.codes
            for c in columns
        }
    )
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    told = cross_val_predict(model, features, target, cv=folds, method="predict_proba")[:, 1]
    return float(max(roc_auc_score(target, told), 0.5))


CHECKS = (
    Check(
        id="balance",
        title="Both classes can be judged",
        question="Are there enough rows of the rarer class?",
        method="Rows of the rarer class; the base rate, which is the average precision of knowing nothing.",
        reference="Saito and Rehmsmeier (2015), PLoS ONE 10(3)",
        run=balance,
    ),
    Check(
        id="shortcut",
        title="The source does not give the label away",
        question="Could a model tell the label from how a row was made, without what it shows?",
        method="Cross-validated AUROC of the label from the source columns alone.",
        reference="Geirhos et al. (2020), Shortcut learning, Nature Machine Intelligence 2",
        run=shortcut,
    ),
    Check(
        id="proxies",
        title="No column stands for a hidden one",
        question="Can a protected or source attribute be told from what a model sees?",
        method="Cross-validated AUROC of each such attribute from each single input.",
        reference="Barocas, Hardt and Narayanan (2023), Fairness and Machine Learning, ch. 3",
        run=proxies,
    ),
    Check(
        id="copies",
        title="No test row was learned from",
        question="Are rows on both sides of the split the same?",
        method="Share of test rows whose inputs equal those of a training row.",
        reference="Kapoor and Narayanan (2023), Leakage and the reproducibility crisis, Patterns 4(9)",
        run=copies,
    ),
    Check(
        id="places",
        title="The region is covered",
        question="Are whole parts of the region without rows?",
        method="Share of the spanned 30° boxes that hold rows.",
        reference="",
        run=places,
    ),
    Check(
        id="fairness",
        title="Groups of persons are treated alike",
        question="Are groups chosen, or wrongly judged, at unlike rates?",
        method=f"Selection ratio and equalised-odds difference, groups of {FEWEST} rows or more (fairlearn).",
        reference="Bird et al. (2020), Fairlearn, MSR-TR-2020-32",
        run=fairness,
    ),
)
