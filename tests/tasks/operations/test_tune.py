"""Tuning uses only years before the test block."""

from dataclasses import replace
from datetime import date

import pandas as pd

from tasks.operations.tune import before_test, walk_gains
from tasks.runtime.folds import folds
from tasks.runtime.params import SplitParams
from tasks.tilts.training_data import TrainingData
from tests.tasks.tilts.test_walk_forward import TRAIN, table

SPLIT = SplitParams(walk_from=date(2001, 1, 1), test_from=date(2009, 1, 1), test_to=date(2010, 12, 31))
TEST_FROM = pd.Timestamp(SPLIT.test_from)


def walk() -> TrainingData:
    inputs, score = table(2600, lead=30)
    plan = folds(SPLIT, inputs["origin"].max())
    return TrainingData(inputs, None, score, plan, [None] * len(plan), [0.0] * len(plan))


def test_nothing_from_the_test_block_is_seen():
    whole = before_test(walk(), TEST_FROM)
    assert [fold.name for fold in whole.plan] == [str(year) for year in range(2001, 2009)]
    assert whole.inputs.loc[whole.inputs["target"].notna(), "time"].max() < TEST_FROM
    spoiled = walk()
    later = spoiled.inputs["time"] >= TEST_FROM
    changed = spoiled.inputs.assign(target=spoiled.inputs["target"].mask(later, 99.0))
    spoiled = before_test(replace(spoiled, inputs=changed), TEST_FROM)
    assert [*walk_gains(whole, 0, TRAIN)] == [*walk_gains(spoiled, 0, TRAIN)]


def test_a_year_is_judged_at_the_weight_of_earlier_ones_and_a_tilt_that_pays_gains():
    *_, gains = walk_gains(before_test(walk(), TEST_FROM), 0, TRAIN)
    assert len(gains) == 8
    assert max(map(abs, gains[:5])) < 1e-12  # too few years to tilt
    assert min(gains[6:]) > 0.05
