"""What the energy model says of each test example, for ``answers.csv``: one row an example."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

CHANCE = "probability "
"""Begins the column of a class's probability; the class's name follows."""
MOST = 3
"""Columns that are named for an example's energy."""


def averaged(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One row an ``example``, in order of appearance; the frames hold it once a seed.

    Numbers are means over the seeds that judged the example, whose count is ``seeds``; ``truth`` and words
    are the first seed's. Of columns ``probability CLASS`` the largest mean names the ``prediction``.
    """
    rows = pd.concat(frames, ignore_index=True)
    by = rows.groupby("example", sort=False)
    said = [column for column in rows.columns if column != "example"]
    number = {c: pd.api.types.is_numeric_dtype(rows[c]) and c != "truth" for c in said}
    found = by.agg({c: "mean" if number[c] else "first" for c in said})
    chances = [c for c in said if c.startswith(CHANCE)]
    if chances:
        likely: pd.Series = found[chances].idxmax(axis=1)
        found.insert(1, "prediction", likely.str.removeprefix(CHANCE))
    return found.assign(seeds=by.size()).reset_index()


def probabilities(answer: np.ndarray, classes: Iterable[object]) -> dict[str, np.ndarray]:
    """``(n, classes)`` as columns ``probability CLASS``."""
    return {f"{CHANCE}{name}": answer[:, k] for k, name in enumerate(classes)}


def raised_by(parts: np.ndarray, columns: Sequence[str]) -> list[str]:
    """Of each row of ``parts`` ``(n, d)``, what each column adds to its energy, those that raise it most."""
    words = []
    for row in parts:
        top = [j for j in np.argsort(-row)[:MOST] if row[j] > 0]
        words.append(", ".join(f"{columns[j]} {row[j]:+.2f}" for j in top))
    return words
