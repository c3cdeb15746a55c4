"""Collaborative filters that score every user and item, and measures of a ranking.

``taste`` is a sparse matrix ``(users, items)`` that is 1, or a weight, where a user has an item. Scores are
dense float32 arrays ``(users, items)``.
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import torch

TOP = 20


def ease(taste: sp.csr_matrix, penalty: float) -> np.ndarray:
    """Return the scores X B of EASE, where B is the ridge regression of every item on all others.

    With P = (XᵀX + λI)⁻¹, B = I − P·diag(P)⁻¹, which is zero on its diagonal. As there are fewer users than
    items, XP = (XXᵀ + λI)⁻¹X is computed instead of P, without an items × items matrix.

    Reference: Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW.
    """
    kernel = (taste @ taste.T).toarray()
    kernel[np.diag_indices_from(kernel)] += penalty
    inverse = scipy.linalg.cho_solve(
        scipy.linalg.cho_factor(kernel, lower=True, overwrite_a=True), np.eye(len(kernel), dtype=np.float32)
    )
    product = np.ascontiguousarray((taste.T @ inverse).T)
    diagonal = (1 - np.asarray(taste.multiply(product).sum(0)).ravel()) / penalty
    scores: np.ndarray = -product / diagonal
    scores[taste.nonzero()] += taste.data
    return scores.astype(np.float32)


def als(
    taste: sp.csr_matrix,
    *,
    dimensions: int,
    unobserved: float,
    seed: int,
    penalty: float = 0.01,
    sweeps: int = 8,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of users and items by implicit alternating least squares; scores are their product.

    Minimises Σ_observed (1 − wᵤ·hᵢ)² + α₀ Σ_all (wᵤ·hᵢ)² + λ Σᵤ (nᵤ + α₀·items)‖wᵤ‖², with the same penalty
    for items, where α₀ is ``unobserved`` and λ is ``penalty``.

    Reference: Rendle et al. (2022), Revisiting the performance of iALS, RecSys.
    """
    rng = np.random.default_rng(seed)
    items = rng.normal(0, 0.1 / np.sqrt(dimensions), (taste.shape[1], dimensions)).astype(np.float32)
    turned = taste.T.tocsr()
    for _ in range(sweeps):
        users = _solve(taste, items, unobserved, penalty)
        items = _solve(turned, users, unobserved, penalty)
    return _solve(taste, items, unobserved, penalty), items


def _solve(taste: sp.csr_matrix, other: np.ndarray, unobserved: float, penalty: float) -> np.ndarray:
    """Return the factors of the rows of ``taste``, given those of its columns."""
    k = other.shape[1]
    outer = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
    weight = penalty * (np.diff(taste.indptr) + unobserved * taste.shape[1])
    factors = []
    for start in range(0, taste.shape[0], 4096):
        rows = slice(start, start + 4096)
        matrix = (taste[rows] @ outer).reshape(-1, k, k) + unobserved * other.T @ other
        matrix += (weight[rows, None, None] * np.eye(k)).astype(np.float32)
        target = torch.as_tensor(taste[rows] @ other)[..., None]
        root = torch.linalg.cholesky(torch.as_tensor(matrix))
        factors.append(torch.cholesky_solve(target, root)[..., 0].numpy())
    return np.concatenate(factors)


def item_knn(taste: sp.csr_matrix, neighbours: int, shrinkage: float = 10.0) -> np.ndarray:
    """Score an item by the summed shrunk cosine similarity of its nearest neighbours that the user has."""
    size = np.asarray(taste.multiply(taste).sum(0)).ravel()
    together = (taste.T @ taste).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    row = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    value = together.data / (np.sqrt(size[row] * size[together.indices]) + shrinkage)
    place = np.empty(len(row), int)
    place[np.lexsort((-value, row))] = np.arange(len(row)) - together.indptr[row]
    value[place >= neighbours] = 0
    alike = sp.csr_matrix((value.astype(np.float32), together.indices, together.indptr), together.shape)
    alike.eliminate_zeros()
    return (taste @ alike.T).toarray()


def user_knn(taste: sp.csr_matrix, neighbours: int = 100, shrinkage: float = 5.0) -> np.ndarray:
    """Score an item by the summed similarity of the most similar users who have it.

    Similarity is the shrunk cosine of items weighted by log(1 + users / listeners).
    """
    listeners = np.maximum(np.asarray((taste > 0).sum(0)).ravel(), 1)
    weighted = taste @ sp.diags(np.log(1 + taste.shape[0] / listeners).astype(np.float32))
    norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1)).ravel())
    alike = (weighted @ weighted.T).toarray() / (norm[:, None] * norm + shrinkage)
    np.fill_diagonal(alike, 0)
    k = min(neighbours, len(alike))
    alike[alike < np.partition(alike, -k, axis=1)[:, -k, None]] = 0
    return (sp.csr_matrix(alike.astype(np.float32)) @ taste).toarray()


def hold_out(users: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a mask ``(n,)`` that selects a random ``share`` of each user's rows, rounded."""
    order = np.lexsort((np.random.default_rng(seed).random(len(users)), users))
    count = np.bincount(users)
    rank = np.empty(len(users), int)
    rank[order] = np.arange(len(users)) - (np.cumsum(count) - count)[users[order]]
    mask: np.ndarray = rank < np.floor(share * count + 0.5)[users]
    return mask


def top_items(scores: np.ndarray, seen: sp.csr_matrix, top: int = TOP) -> np.ndarray:
    """Return the best ``top`` items of each user that are not in ``seen``, best first, ``(users, top)``."""
    scores = scores.copy()
    scores[seen.nonzero()] = -np.inf
    top = min(top, scores.shape[1])
    best = np.argpartition(-scores, top - 1, axis=1)[:, :top]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
    return np.take_along_axis(best, order, 1)


def judge_lists(lists: np.ndarray, held_out: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return NDCG@10 and recall@20 of the users who have held-out items, in order of user.

    NDCG@10 is Σ_hits 1/log₂(rank + 1), divided by that of a perfect list. Recall@20 is the share of held-out
    items in the list.

    Reference: Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation, ACM TOIS 20(4).
    """
    count = np.diff(held_out.indptr)
    users = np.flatnonzero(count)
    hit = held_out[users[:, None], lists[users]].toarray() > 0
    discount = 1 / np.log2(np.arange(min(10, lists.shape[1])) + 2)
    perfect = discount.cumsum()[np.minimum(count[users], len(discount)) - 1]
    return (hit[:, :10] * discount).sum(1) / perfect, hit.sum(1) / count[users]
