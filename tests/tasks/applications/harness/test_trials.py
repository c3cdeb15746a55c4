"""Measures against scikit-learn's, and a bootstrap whose interval is that of the theory."""

import numpy as np
import pytest
from sklearn import metrics

from tasks.applications.harness.measures import (
    AP,
    AUROC,
    ECE,
    Measure,
    accuracy,
    calibration_error,
    mean,
    median,
)
from tasks.applications.harness.trials import Trial, judge
from tasks.runtime.errors import BasinError


@pytest.mark.parametrize(
    ("measure", "reference"),
    [(AUROC.of, metrics.roc_auc_score), (AP.of, metrics.average_precision_score)],
)
def test_weighted_measures_are_those_of_scikit_learn(measure, reference) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=60)
    answer = np.round(rng.normal(size=60) + truth, 1)  # with ties
    weight = rng.integers(4, size=(5, 60))
    expected = [reference(truth, answer, sample_weight=w) for w in weight]
    assert measure(truth, answer, weight) == pytest.approx(expected, abs=1e-12)


def test_median_accuracy_and_calibration_are_what_they_are_by_hand() -> None:
    truth, once = np.array([0, 1, 1, 0]), np.ones((1, 4))
    answer = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.6, 0.4]])
    assert accuracy(truth, answer, once) == pytest.approx([0.75])
    # three rows of confidence .9, two of them right; one of .6, right
    assert calibration_error(truth, answer, once) == pytest.approx([(3 * abs(0.9 - 2 / 3) + 0.4) / 4])
    weight = np.array([[1, 1, 1, 0], [0, 0, 1, 3]])
    assert median(truth, np.array([5.0, 1.0, 3.0, 9.0]), weight) == pytest.approx([3.0, 9.0])


def test_the_interval_of_a_mean_is_the_normal_one_and_pairing_narrows_the_gain() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=900)
    answers = {"ebm": base - 0.1, "peer": base + 0.01 * rng.normal(size=900)}
    loss = Measure("loss", "loss", mean, "lower")
    scores = judge([Trial((loss,), seed, np.zeros(900), answers) for seed in range(2)])
    low, high = scores["intervals"]["ebm"]["loss"]
    assert high - low == pytest.approx(2 * 1.96 * base.std() / 30, rel=0.15)
    gain = scores["paired"]["peer"]["loss"]
    assert gain["gain"] == pytest.approx(0.1, abs=2e-3) and gain["p"] < 0.01
    assert gain["interval"][1] - gain["interval"][0] < 0.003


def test_groups_count_alike_and_one_class_is_named() -> None:
    def trial(group: str, truth: list[int]) -> Trial:
        return Trial((AUROC,), 0, np.array(truth), {"ebm": np.arange(len(truth))}, group=group)

    scores = judge([trial("a", [0, 0, 0, 1]), trial("b", [1, 0])])
    assert scores["models"]["ebm"]["auroc"] == pytest.approx(0.5)
    with pytest.raises(BasinError, match="AUROC of ebm on c is not a number"):
        judge([trial("c", [1, 1])])
    assert ECE.sign == -1
