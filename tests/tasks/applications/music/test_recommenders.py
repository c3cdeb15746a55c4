"""Recommenders against direct implementations of their formulae."""

import numpy as np
import pytest
import scipy.sparse as sp

from tasks.applications.music.cold_start import user_auroc
from tasks.applications.music.recommenders import als, ease, hold_out, item_knn, judge_lists, top_items


@pytest.fixture
def taste() -> sp.csr_matrix:
    return sp.csr_matrix((np.random.default_rng(0).random((12, 9)) < 0.4).astype(np.float32))


def test_ease_is_the_ridge_regression_of_each_item_on_the_others(taste: sp.csr_matrix) -> None:
    x = taste.toarray().astype(float)
    scores = ease(taste, 2.0)
    for item in range(x.shape[1]):
        others = np.delete(x, item, 1)
        weights = np.linalg.solve(others.T @ others + 2.0 * np.eye(8), others.T @ x[:, item])
        assert scores[:, item] == pytest.approx(others @ weights, abs=1e-4)


def test_als_stops_where_its_loss_has_no_slope(taste: sp.csr_matrix) -> None:
    x = taste.toarray()
    users, items = als(taste, dimensions=3, unobserved=0.2, seed=0, penalty=0.05, sweeps=400)
    score = users @ items.T
    slope = -(x * (1 - score)) @ items + 0.2 * score @ items
    slope += 0.05 * (x.sum(1) + 0.2 * 9)[:, None] * users
    assert np.abs(slope).max() < 1e-4


def test_item_knn_adds_shrunk_cosines_of_the_nearest_items(taste: sp.csr_matrix) -> None:
    x = taste.toarray()
    size = np.sqrt((x**2).sum(0))
    alike = (x.T @ x) / (np.outer(size, size) + 10)
    np.fill_diagonal(alike, 0)
    assert item_knn(taste, 9) == pytest.approx(x @ alike, abs=1e-5)


def test_lists_are_judged_by_rank_and_what_is_known_is_left_out() -> None:
    seen = sp.csr_matrix(np.eye(2, 30, dtype=np.float32))
    scores = np.tile(np.arange(30, 0, -1.0), (2, 1))
    lists = top_items(scores, seen)
    assert lists[0, 0] == 1 and lists[1, 0] == 0
    wanted = sp.csr_matrix((np.ones(2), ([0, 0], [2, 29])), (2, 30))
    ndcg, recall = judge_lists(lists, wanted)
    assert ndcg == pytest.approx([(1 / np.log2(3)) / (1 + 1 / np.log2(3))])
    assert recall == pytest.approx([0.5])


def test_a_fifth_of_each_user_is_held_out() -> None:
    users = np.repeat([0, 1, 2], [50, 10, 2])
    assert np.bincount(users[hold_out(users, 0.2, 0)], minlength=3).tolist() == [10, 2, 0]


def test_auroc_of_a_user_counts_ties_half() -> None:
    scores, listened = np.array([[1.0, 1.0, 0.0], [1, 2, 3]]), np.array([[1, 0, 0], [0, 0, 0]])
    assert user_auroc(scores, listened) == pytest.approx([0.75])
