"""Parquet in batches: every row once between the readers, and a pass that lowers the energy of the data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ebm_core.energies.networks import MLPEnergy
from ebm_core.learning.negatives import DataChains
from ebm_core.learning.objectives import ContrastiveDivergence
from tasks.applications.harness.streaming import batches, fit_stream


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = np.random.default_rng(0).normal(size=(4000, 2)).astype("float32")
    rows[:, 1] = np.arange(4000)
    pd.DataFrame(rows, columns=["a", "b"]).to_parquet(tmp_path / "rows.parquet", row_group_size=500)
    return tmp_path / "rows.parquet"


def test_two_readers_see_every_row_once(file: Path) -> None:
    seen = [torch.cat(list(batches(file, 100, part, 2)))[:, 1] for part in range(2)]
    assert [len(part) for part in seen] == [2000, 2000]
    assert sorted(torch.cat(seen).int().tolist()) == list(range(4000))


def test_row_groups_shorter_than_a_batch_are_read_on_and_an_empty_stream_is_named(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": np.arange(1000, dtype="float32"), "b": np.zeros(1000, "float32")})
    rows.to_parquet(tmp_path / "short.parquet", row_group_size=100)
    seen = torch.cat(list(batches(tmp_path / "short.parquet", 256)))
    assert seen[:, 0].tolist() == list(range(768))
    energy = MLPEnergy(2, (4,), generator=torch.Generator().manual_seed(0))
    nothing = batches(tmp_path / "short.parquet", 2000)
    objective = ContrastiveDivergence(DataChains(1, 0.05), 0.01)
    with pytest.raises(ValueError, match="stream: no batch"):
        fit_stream(energy, nothing, objective, learning_rate=1e-2, generator=torch.Generator())


def test_a_pass_over_the_stream_learns_and_repeats(tmp_path: Path) -> None:
    rows = 0.3 * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(1)) + 1
    pd.DataFrame(rows.numpy(), columns=["a", "b"]).to_parquet(tmp_path / "r.parquet")
    energy = MLPEnergy(2, (16,), generator=torch.Generator().manual_seed(0))
    objective = ContrastiveDivergence(DataChains(3, 0.05), 0.01)

    def run() -> MLPEnergy:
        stream = batches(tmp_path / "r.parquet", 200)
        fitted, seen = fit_stream(
            energy, stream, objective, learning_rate=1e-2, generator=torch.Generator().manual_seed(2)
        )
        assert seen == 20_000
        return fitted

    one, two = run(), run()
    at = torch.tensor([[1.0, 1.0], [2.5, -0.5]])
    with torch.no_grad():
        inside, outside = one(at)
        assert inside < outside - 1 and (one(at) == two(at)).all()
