"""Training of the field energy by denoising score matching on Ray Train, with a checkpoint every epoch.

Ray Data streams the shards. Each rank reads its own shards, in an order drawn from the seed, the epoch and
the rank. Results depend on the number of ranks, as on the batch size. With the same number of ranks they are
identical to the last bit on any CPUs.
"""

import copy
import json
import math
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from ebm_core.base.files import load_checkpoint, optimiser_state, restore_optimiser, save_checkpoint
from ebm_core.energies.grid import FieldEnergy
from ebm_core.learning.score_matching import denoising_loss
from tasks.fields.base import Base
from tasks.fields.examples import SHARD, from_table
from tasks.fields.tilt import Laws, new_energy, tensors, white_energy
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import RETRIES, Progress, connect, silent

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 64
"""Number of examples in an optimiser step, over all ranks."""

WINDOW = 4
"""Number of shards whose rows are shuffled together."""

BLOCK = 4
"""Number of windows that a task of Ray Data reads, one after another."""

AHEAD = 64 * 2**20
"""Largest number of bytes that Ray Data reads in advance for a rank."""

DECAY = 0.99
"""Decay at each step of the moving average of the parameters. The fit returns the average."""

CHECKPOINT = "state.safetensors"
EPOCH = "epoch.json"


@dataclass(frozen=True)
class Settings:
    """Settings of the training. They are part of the hash that identifies a fit."""

    epochs: int = 20
    width: int = 16
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    ranks: int = 2
    seed: int = 0


def train(
    shards: Path, folder: Path, name: str, mask: np.ndarray, base: Base, settings: Settings,
    progress: Progress = silent,
) -> FieldEnergy:  # fmt: skip
    """Train an energy on ``shards``, with checkpoints in ``folder/name``.

    If a worker fails, training restarts from the last checkpoint, at most ``RETRIES`` times. A later call
    with the same name also resumes from the last checkpoint. Raises ``BasinError`` if there are too few
    shards or the workers keep failing.
    """
    import ray
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    files = sorted(str(path.resolve()) for path in shards.glob("*.parquet"))
    if len(files) <= settings.ranks:
        raise BasinError(
            f"the file gives at most {len(files) * SHARD} training examples, expected more than "
            f"{settings.ranks * SHARD}; give a longer record, or one with fewer missing values"
        )
    connect()
    gpus = ray.cluster_resources().get("GPU", 0) >= settings.ranks
    trainer = TorchTrainer(
        _train_rank,
        train_loop_config={
            "files": files[:-1],  # without the last, which is shorter, so that all ranks make as many steps
            "mask": mask,
            "base": base,
            "settings": asdict(settings),
            "epoch": str(folder.resolve() / EPOCH),
        },
        # Half a core for each rank, so that Ray Data can read on a machine with two cores.
        scaling_config=ScalingConfig(
            num_workers=settings.ranks,
            use_gpu=gpus,
            resources_per_worker={"CPU": 0.5} | ({"GPU": 1} if gpus else {}),
        ),
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        run_config=RunConfig(
            name=name,
            storage_path=str(folder.resolve()),
            failure_config=FailureConfig(max_failures=RETRIES),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
        ),
    )
    try:
        with _told(folder / EPOCH, settings.epochs, progress):
            result = trainer.fit()
    except ray.train.TrainingFailedError as error:
        reason = " ".join(str(error).split())[-300:]
        raise BasinError(
            f"the training of the field energy failed: {reason}; run it again to resume from the last "
            "checkpoint"
        ) from error
    assert result.checkpoint is not None  # the checkpoint of the last epoch
    with result.checkpoint.as_directory() as at:
        state = load_checkpoint(Path(at) / CHECKPOINT)
    assert state is not None
    energy = new_energy(mask, settings.width, settings.seed)
    energy.load_state_dict(state["average"])
    return energy


def _train_rank(config: dict[str, Any]) -> None:
    """Train one rank from the last checkpoint on, with gradients averaged over ranks by DDP."""
    from ray import train as ray_train
    from ray.train.torch import get_device, prepare_model

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings = Settings(**config["settings"])
    rank, device = ray_train.get_context().get_world_rank(), get_device()
    files = config["files"][: len(config["files"]) // settings.ranks * settings.ranks]
    batch = BATCH // settings.ranks
    steps = len(files) // settings.ranks * SHARD // batch
    energy = new_energy(config["mask"], settings.width, settings.seed)
    average, done = copy.deepcopy(energy).to(device), 0
    state = _last_state(ray_train.get_checkpoint())
    if state:
        energy.load_state_dict(state["energy"])
        average.load_state_dict(state["average"])
        done = state["epoch"]
    parallel = prepare_model(energy)
    optimiser = torch.optim.AdamW(
        parallel.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs * steps)
    if state:
        restore_optimiser(optimiser, state["optimiser"])
        schedule.load_state_dict(state["schedule"])
    laws = Laws(config["base"], device)
    ours = files[rank :: settings.ranks]
    stream = batches(ours, batch, range(done, settings.epochs), [settings.seed, rank])
    for epoch in range(done, settings.epochs):
        total = torch.zeros((), device=device)
        key = np.random.default_rng([settings.seed, rank, epoch, 1])
        noise = torch.Generator().manual_seed(int(key.integers(2**62)))
        for given in islice(stream, steps):
            here = {column: values.to(device) for column, values in given.items()}
            z = laws.amplitudes(here["error"], here["lead"])
            draws = torch.randn(z.shape, generator=noise).to(device)
            angle = (torch.rand(len(z), generator=noise) * math.pi / 2).to(device)
            loss = denoising_loss(
                white_energy(parallel, laws, here), z, draws, angle,
                partial(laws.colour, lead=here["lead"]),
            )  # fmt: skip
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                for kept, now in zip(average.parameters(), energy.parameters(), strict=True):
                    kept.lerp_(now.to(device), 1 - DECAY)
            total += loss.detach() / steps
        metrics = {"epoch": epoch + 1, "loss": float(total)}
        if not math.isfinite(metrics["loss"]):
            raise FloatingPointError(
                f"the loss is {metrics['loss']} in epoch {epoch + 1}; try a smaller learning_rate"
            )
        if rank:
            ray_train.report(metrics)
            continue
        with tempfile.TemporaryDirectory() as folder:
            reached = {
                "energy": energy.state_dict(), "average": average.state_dict(), "epoch": epoch + 1,
                "optimiser": optimiser_state(optimiser), "schedule": schedule.state_dict(),
            }  # fmt: skip
            save_checkpoint(Path(folder) / CHECKPOINT, reached)
            ray_train.report(metrics, checkpoint=ray_train.Checkpoint.from_directory(folder))
        Path(config["epoch"]).write_text(json.dumps(epoch + 1))


def batches(files: list[str], batch: int, epochs: range, key: list[int]) -> Iterator[dict[str, Tensor]]:
    """Yield full batches of the shards for all epochs, in an order drawn from ``key`` and the epoch.

    Tasks of Ray Data read and shuffle windows of :data:`WINDOW` shards. They read the files themselves,
    because Ray Data's Parquet reader takes twenty times longer for small files. One execution covers all
    epochs, because an execution takes seconds to start.
    """
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.execution_options.resource_limits = ray.data.ExecutionResources(object_store_memory=AHEAD)
    windows = []
    for epoch in epochs:
        order = np.random.default_rng([*key, epoch]).permutation(len(files))
        for first in range(0, len(order), WINDOW):
            chosen = [files[k] for k in order[first : first + WINDOW]]
            windows.append({"files": "\n".join(chosen), "key": [*key, epoch, first]})
    read = ray.data.from_items(windows, override_num_blocks=-(-len(windows) // BLOCK))
    shuffled = read.map_batches(cast(Any, _window), batch_size=1)
    for table in shuffled.iter_batches(batch_size=batch, batch_format="pyarrow", drop_last=True):
        yield tensors(from_table(table))


def _window(batch: dict[str, np.ndarray]) -> Iterator["pa.Table"]:
    """Yield the rows of each window, a group of shards that are shuffled together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for files, key in zip(batch["files"], batch["key"], strict=True):
        rows = pa.concat_tables([pq.read_table(file) for file in files.split("\n")])
        yield rows.take(np.random.default_rng(key.tolist()).permutation(len(rows)))


def _last_state(checkpoint: Any) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    with checkpoint.as_directory() as folder:
        return load_checkpoint(Path(folder) / CHECKPOINT)


@contextmanager
def _told(epoch: Path, epochs: int, progress: Progress) -> Iterator[None]:
    """Report to ``progress`` how many epochs the first rank has finished."""
    over = threading.Event()

    def watch() -> None:
        told = -1
        while not over.wait(0.5):
            done = int(epoch.read_text() or 0) if epoch.exists() else 0
            if done != told:
                progress("epochs", done, epochs)
                told = done

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
