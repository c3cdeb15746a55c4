"""Overhead of Ray per fit, in comparison with a pool of processes."""

import multiprocessing
import os
import time
from collections.abc import Iterator

import torch

from benchmarks.row import Row
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.training import fit_tilt
from tasks.runtime.parallel import connect, disconnect, run_units

WORKERS = 2
FITS, TINY = 32, 1000
ROUNDS = 2


def fit(seed: int, rows: int, steps: int) -> float:
    """Fit a bilinear energy to synthetic scores and return its last loss, which is deterministic."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    x, score = torch.randn(rows, 16, generator=generator), torch.randn(rows, generator=generator)
    energy = BilinearEnergy(16, 16, 8, 5, generator)
    options = {"learning_rate": 0.01, "weight_decay": 0.1, "validation": rows // 5, "generator": generator}
    return float(fit_tilt(energy, score, x, steps=steps, **options).loss[-1].mean())


def fits() -> Iterator[Row]:
    """Compare Ray with a pool of processes, in turn, after a warm-up in which workers start and import."""
    units = [(seed, 4000, 600) for seed in range(FITS)]
    tiny = [(seed, 100, 2) for seed in range(TINY)]
    warm = [(seed, 100, 1) for seed in range(4 * WORKERS)]
    spawn = multiprocessing.get_context("spawn")
    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.monotonic()
    connect()
    run_units(fit, warm, "warm")
    start = time.monotonic() - began
    by_processes = by_ray = 0.0
    with spawn.Pool(WORKERS) as pool:
        pool.starmap(fit, warm, chunksize=1)
        for _ in range(ROUNDS):
            began = time.monotonic()
            plain = pool.starmap(fit, units, chunksize=1)
            by_processes += time.monotonic() - began
            began = time.monotonic()
            if run_units(fit, units, "fits") != plain:
                raise SystemExit("fits on Ray differ from those of plain processes")
            by_ray += time.monotonic() - began
    began = time.monotonic()
    run_units(fit, tiny, "tiny fits")
    of_tiny = time.monotonic() - began
    disconnect()
    share = by_processes / by_ray
    overhead = max(0.0, WORKERS * (by_ray - by_processes) / FITS / ROUNDS)
    each = WORKERS * by_processes / FITS / ROUNDS
    what = f"{FITS} equal fits: {WORKERS} Ray workers against {WORKERS} plain processes"
    shown = f"{share:.0%}, same losses, {each:.1f} s a fit"
    yield Row(what, "≥ 90 % of the speed", shown, share >= 0.9, value=100 * share, unit="%")
    shown = f"{overhead:.3f} s (Ray's start and imports {start:.0f} s)"
    yield Row("overhead a fit", "≤ 0.3 s", shown, overhead <= 0.3, value=overhead, unit="s")
    yield Row(f"{TINY:,} tiny fits", "≤ 60 s", f"{of_tiny:.1f} s", of_tiny <= 60, value=of_tiny, unit="s")
