"""Contrastive divergence on 10 million rows streamed from Parquet: rows per second, memory and quality.

The rows are draws from a mixture of four normal distributions in eight dimensions. Quality is the AUROC with
which the energy separates fresh draws from the same draws with shuffled columns. The AUROC of the true
density is the upper limit.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.row import Row
from ebm_core.energies.networks import MLPEnergy
from ebm_core.learning.negatives import DataChains, PersistentChains
from ebm_core.learning.objectives import ContrastiveDivergence
from ebm_core.sampling.replay import ReplayBuffer
from tasks.applications.harness.streaming import batches, fit_stream

ROWS = 10_000_000
NAIVE_ROWS = 500_000
COLUMNS = 8
BATCH = 4096
STEPS, STEP_SIZE, RATE = 5, 0.05, 2e-3
CENTRES = torch.randn(4, COLUMNS, generator=torch.Generator().manual_seed(7)) * 1.5


def draws(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(4, (count,), generator=generator)
    return CENTRES[which] + 0.6 * torch.randn(count, COLUMNS, generator=generator)


def true_energy(x: torch.Tensor) -> torch.Tensor:
    return -torch.logsumexp(-torch.cdist(x, CENTRES).square() / (2 * 0.6**2), 1)


def quality(energy: Any) -> float:
    from sklearn.metrics import roc_auc_score

    fresh = draws(20_000, 1)
    shuffled = fresh.gather(0, torch.rand(fresh.shape, generator=torch.Generator().manual_seed(2)).argsort(0))
    with torch.no_grad():
        values = energy(torch.cat([fresh, shuffled])).numpy()
    return float(roc_auc_score(np.repeat([0, 1], len(fresh)), values))


def write(path: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(f"x{j}", pa.float32()) for j in range(COLUMNS)])
    with pq.ParquetWriter(path, schema) as writer:
        for part in range(rows // 250_000):
            table = draws(250_000, 100 + part).numpy()
            writer.write_table(pa.table(dict(zip(schema.names, table.T, strict=True)), schema))


def objective(kind: str) -> ContrastiveDivergence:
    if kind == "CD-k":
        return ContrastiveDivergence(DataChains(STEPS, STEP_SIZE), 0.001)

    def start(count: int, generator: torch.Generator) -> torch.Tensor:
        return 2 * torch.randn(count, COLUMNS, generator=generator)

    buffer = ReplayBuffer(start, 8 * BATCH, 0.05, torch.Generator().manual_seed(3))
    return ContrastiveDivergence(PersistentChains(buffer, STEPS, STEP_SIZE), 0.001)


def new_energy() -> MLPEnergy:
    return MLPEnergy(COLUMNS, (64, 64), generator=torch.Generator().manual_seed(0))


def peak() -> float:
    """Return the peak resident memory of this process in MiB.

    ``getrusage`` is not used, because in a child process it includes the memory of the parent.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def work(rank: int, workers: int, path: str, kind: str, steps: int | None, results: Any) -> None:
    """Train as one worker, in its own process; the first worker puts speed, memory and quality in results."""
    torch.set_num_threads(1)
    if workers > 1:
        store = torch.distributed.FileStore(f"{path}.{kind}.store", workers)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=workers)
    generator = torch.Generator().manual_seed(10 + rank)
    before, began = peak(), time.monotonic()
    # All workers together use BATCH rows per step, the same number as a single worker.
    stream = batches(Path(path), BATCH // workers, rank, workers)
    energy, seen = fit_stream(
        new_energy(), stream, objective(kind), learning_rate=RATE, generator=generator, steps=steps
    )
    seconds = time.monotonic() - began
    if rank == 0:
        results.put((workers * seen / seconds, peak() - before, quality(energy)))
    if workers > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def streamed(path: Path, kind: str, workers: int, rows: int) -> tuple[float, float, float]:
    """Return rows per second, growth of memory in MiB, and quality."""
    context = torch.multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    steps = rows // BATCH
    arguments = (workers, str(path), kind, steps, results)
    processes = [context.Process(target=work, args=(rank, *arguments)) for rank in range(workers)]
    for process in processes:
        process.start()
    found: tuple[float, float, float] = results.get()
    for process in processes:
        process.join()
    Path(f"{path}.{kind}.store").unlink(missing_ok=True)
    return found


def naive(path: Path) -> tuple[float, float]:
    """Train by a simple loop, with the table in memory and gradients of the chains by autograd.

    Returns rows per second and quality.
    """
    import pandas as pd

    torch.set_num_threads(1)
    table = torch.as_tensor(pd.read_parquet(path).to_numpy()[:NAIVE_ROWS])
    energy = new_energy()
    optimiser = torch.optim.Adam(energy.parameters(), lr=RATE)
    torch.manual_seed(0)
    began = time.monotonic()
    for rows in table.split(BATCH):
        at = rows.clone()
        for _ in range(STEPS):
            at.requires_grad_()
            gradient = torch.autograd.grad(energy(at).sum(), at)[0]
            at = (at - STEP_SIZE * gradient + (2 * STEP_SIZE) ** 0.5 * torch.randn_like(at)).detach()
        of_data, of_chains = energy(rows), energy(at)
        loss = of_data.mean() - of_chains.mean()
        loss = loss + 0.001 * (of_data.square().mean() + of_chains.square().mean())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return len(table) / (time.monotonic() - began), quality(energy)


def divergence() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, ROWS)
        ceiling = quality(true_energy)
        rate, slow_quality = naive(path)
        few = streamed(path, "CD-k", 1, NAIVE_ROWS)
        what = f"CD-{STEPS}, {COLUMNS} columns"
        yield Row(
            f"{what}, the first {NAIVE_ROWS:,} rows: AUROC",
            "that of the naive loop ± .01",
            f"{few[2]:.3f} against {slow_quality:.3f} (true density {ceiling:.3f})",
            abs(few[2] - slow_quality) <= 0.01,
            value=few[2],
        )
        for kind in ("CD-k", "persistent CD"):
            one = few if kind == "CD-k" else streamed(path, kind, 1, NAIVE_ROWS)
            alone = streamed(path, kind, 1, ROWS)
            yield Row(
                f"{kind}, {ROWS:,} rows from Parquet, one worker",
                "faster than the naive loop; memory flat within 15 %",
                f"{alone[0]:,.0f} rows/s against {rate:,.0f}; memory +{alone[1]:.0f} MiB against "
                f"+{one[1]:.0f} MiB for {NAIVE_ROWS:,} rows; AUROC {alone[2]:.3f}",
                alone[0] > rate and alone[1] <= 1.15 * one[1] + 32,
                value=alone[0],
                unit="rows/s",
            )
            pair = streamed(path, kind, 2, ROWS)
            yield Row(
                f"{kind}, two workers",
                "more rows/s than one; AUROC of one ± .01",
                f"{pair[0]:,.0f} rows/s against {alone[0]:,.0f}; AUROC {pair[2]:.3f} against {alone[2]:.3f}",
                pair[0] > alone[0] and abs(pair[2] - alone[2]) <= 0.01,
                value=pair[0],
                unit="rows/s",
            )
