"""Answers of the energy model for ``answers.csv``, one row per test example."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

CHANCE = "probability "
"""Prefix of the name of a column with the probability of a class."""
MOST = 3
"""Largest number of columns listed as raising an example's energy."""


def averaged(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Average the answers of all seeds into one row per ``example``, in order of appearance.

    Numbers are means over the seeds in which the example was tested; the column ``seeds`` counts these.
    ``truth`` and texts are those of the first seed. If there are columns ``probability CLASS``, the class
    with the largest mean is the ``prediction``.
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
    """Return class probabilities ``(n, classes)`` as columns named ``probability CLASS``."""
    return {f"{CHANCE}{name}": answer[:, k] for k, name in enumerate(classes)}


def raised_by(parts: np.ndarray, columns: Sequence[str]) -> list[str]:
    """Describe, for each row, the columns that raise its energy most.

    ``parts`` ``(n, d)`` are the contributions of the columns to the energy.
    """
    words = []
    for row in parts:
        top = [j for j in np.argsort(-row)[:MOST] if row[j] > 0]
        words.append(", ".join(f"{columns[j]} {row[j]:+.2f}" for j in top))
    return words
