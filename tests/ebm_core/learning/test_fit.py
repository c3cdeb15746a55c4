"""One fit for all objectives: it resumes to the same bits, and stops where it must, saying why."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebm_core.checkpoints import load_checkpoint, save_checkpoint
from ebm_core.energies.compositions import TemperedEnergy
from ebm_core.energies.networks import ClassEnergy, MLPEnergy, initialise
from ebm_core.learning.amortised import AmortisedSampler
from ebm_core.learning.fit import EnergyFit, fit
from ebm_core.learning.negatives import DataChains, PersistentChains
from ebm_core.learning.objectives import (
    JEM,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    Objective,
    SlicedScoreMatching,
)
from ebm_core.sampling.replay import ReplayBuffer


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def start(count: int, generator: torch.Generator) -> Tensor:
    return torch.randn(count, 2, generator=generator)


def drawn(network: nn.Module) -> nn.Module:
    initialise(network, seeded(1))
    return network


def objective(name: str) -> Objective:
    if name == "CD":
        return ContrastiveDivergence(DataChains(3, 0.05), 0.001)
    if name == "persistent CD":
        return ContrastiveDivergence(PersistentChains(ReplayBuffer(start, 64, 0.1, seeded(3)), 3, 0.05))
    if name == "hybrid":
        return ContrastiveDivergence(AmortisedSampler(drawn(nn.Linear(2, 2)), 2, 0.3, proposals=4))
    if name == "denoising":
        return DenoisingScoreMatching(0.3)
    if name == "sliced":
        return SlicedScoreMatching()
    if name == "discrepancy":
        return EnergyDiscrepancy((0.3, 1.0), 4)
    return JEM(objective("persistent CD"))


NAMES = ["CD", "persistent CD", "denoising", "sliced", "discrepancy", "JEM", "hybrid"]

X = torch.randn(200, 2, generator=seeded(0))


def run(name: str, steps: int = 30, every: int = 7, **options: Any) -> EnergyFit:
    energy: nn.Module = MLPEnergy(2, (16, 16), generator=seeded(1))
    data: Any = X
    if name == "JEM":
        energy, data = ClassEnergy(drawn(nn.Linear(2, 3))), (X, (X[:, 0] > 0).long())
    numbers: Any = {"steps": steps, "batch": 32, "learning_rate": 0.01, "generator": seeded(2)} | options
    made = numbers.pop("objective", None) or objective(name)
    data = numbers.pop("data", data)
    return fit(energy, data, made, checkpoint_every=every, **numbers)


def same(a: EnergyFit, b: EnergyFit) -> bool:
    pairs = [(a.energy, b.energy), (a.averaged, b.averaged)]
    weights = [zip(p.parameters(), q.parameters(), strict=True) for p, q in pairs]
    return torch.equal(a.loss, b.loss) and all(torch.equal(p, q) for pair in weights for p, q in pair)


def killed_at(step: int, kind: type[Objective]) -> pytest.MonkeyPatch:
    """Losses of a kind are interrupted at one of their steps, until undone."""
    right, losses = kind.loss, []

    def loss(self: Objective, energy: Any, batch: Any, generator: torch.Generator) -> Tensor:
        losses.append(right(self, energy, batch, generator))
        if len(losses) == step:
            raise KeyboardInterrupt
        return losses[-1]

    patch = pytest.MonkeyPatch()
    patch.setattr(kind, "loss", loss)
    return patch


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_fit_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    whole = run(name)
    file = tmp_path / "fit.safetensors"
    patch = killed_at(19, type(objective(name)))
    with pytest.raises(KeyboardInterrupt):
        run(name, checkpoint=file)
    patch.undo()
    saved = load_checkpoint(file)
    assert saved is not None and len(saved["loss"]) == 14
    assert same(run(name, checkpoint=file), whole)
    assert same(run(name, checkpoint=file), whole)  # done: returns at once


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_prolonged_has_the_bits_of_one_that_was_as_long_from_the_start(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "fit.safetensors"
    assert same(run(name, steps=20, checkpoint=file), run(name, steps=20))
    assert same(run(name, steps=50, checkpoint=file), run(name, steps=50))
    with pytest.raises(ValueError, match=r"^steps: 49, but .* has done 50"):
        run(name, steps=49, checkpoint=file)


def run_on_one_thread(name: str, steps: int, file: Path) -> None:
    torch.set_num_threads(1)
    run(name, steps, 3, checkpoint=file)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_fit_killed_at_random_steps_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    """kill −9 of another process, three times, at moments that no seed decides."""
    file, steps = tmp_path / "fit.safetensors", 1500
    # Processes of their own, forked from one that has imported torch and fitted nothing.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    done = 0
    for _ in range(3):
        child = processes.Process(target=run_on_one_thread, args=(name, steps, file))
        child.start()
        while (saved := load_checkpoint(file)) is None or len(saved["loss"]) < done + 20:
            assert child.is_alive()
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL
        after = load_checkpoint(file)
        assert after is not None and len(after["loss"]) < steps
        done = len(after["loss"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert same(run(name, steps, 1000, checkpoint=file), run(name, steps))
    finally:
        torch.set_num_threads(threads)


def test_a_diverging_fit_names_the_step_and_what_to_do_and_leaves_a_sound_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "fit.safetensors"
    with pytest.raises(FloatingPointError, match=r"diverged at step \d+: .*; try a smaller learning_rate"):
        run("CD", steps=200, learning_rate=1e20, checkpoint=file, every=1)
    saved = load_checkpoint(file)
    assert saved is None or all(torch.isfinite(w).all() for w in saved["energy"].values())


def test_a_step_too_large_from_the_start_is_an_error_of_the_argument() -> None:
    class Steep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return self.weight * x.square().square().sum(1)

    with pytest.raises(ValueError, match="step_size"):
        fit(
            Steep(),
            X,
            ContrastiveDivergence(DataChains(10, 10.0)),
            steps=3,
            batch=32,
            learning_rate=0.01,
            generator=seeded(0),
        )


def test_mixed_precision_trains_all_weights_close_to_full_precision() -> None:
    full, mixed = run("CD"), run("CD", mixed_precision=True)
    begun = run("CD", steps=1, learning_rate=1e-12)
    for a, b, before in zip(full.energy.layers, mixed.energy.layers, begun.energy.layers, strict=True):
        assert b.weight.dtype == torch.float32 and torch.allclose(a.weight, b.weight, atol=0.05)
        assert not torch.allclose(before.weight, b.weight, atol=0.05)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"data": X[:, 0]}, "data"),
        ({"data": torch.where(X > 2, float("nan"), X)}, "data"),
        ({"data": (X, torch.zeros(200, dtype=torch.int64))}, "data"),
        ({"data": X.long()}, "data"),
        ({"data": torch.zeros(20, 3)}, "x"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"decay": 1.5}, "decay"),
        ({"clip": 0.0}, "clip"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
        ({"data": X.double()}, "data"),
        ({"data": X.numpy()}, "data"),
        ({"generator": None}, "generator"),
        ({"objective": JEM(SlicedScoreMatching()), "data": X}, "data"),
        ({"objective": JEM(SlicedScoreMatching()), "data": (X, torch.zeros(200))}, "data"),
    ],
)
def test_data_and_options_that_cannot_be_are_named(change: dict[str, Any], names: str) -> None:
    options: dict[str, Any] = {
        "data": X,
        "objective": objective("denoising"),
        "steps": 2,
        "batch": 8,
        "learning_rate": 0.01,
        "generator": seeded(0),
    } | change
    data, made = options.pop("data"), options.pop("objective")
    with pytest.raises(ValueError, match=f"^{names}:"):
        fit(MLPEnergy(2, (8,), generator=seeded(1)), data, made, **options)


def test_an_energy_that_is_broken_before_the_first_step_is_named() -> None:
    energy = MLPEnergy(2, (8,), generator=seeded(1))
    energy.layers[0].weight.data[0, 0] = float("nan")
    options: dict[str, Any] = {"steps": 2, "batch": 8, "learning_rate": 0.01, "generator": seeded(0)}
    with pytest.raises(ValueError, match=r"^energy: weights are not finite"):
        fit(energy, X, objective("denoising"), **options)


def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fit.safetensors"
    run("denoising", checkpoint=file)
    with pytest.raises(ValueError, match=r"^checkpoint: .* another fit"):
        run("denoising", checkpoint=file, learning_rate=0.02)
    with pytest.raises(ValueError, match=r"^checkpoint: .* another fit"):
        run("sliced", checkpoint=file)
    with pytest.raises(ValueError, match=r"another fit: data torch.float32 \(200, 2\) "):
        run("denoising", checkpoint=file, data=X + 1)
    saved = load_checkpoint(file)
    assert saved is not None
    save_checkpoint(file, saved | {"asked": list(saved["asked"])})
    with pytest.raises(ValueError, match="from another version of ebm_core; delete it"):
        run("denoising", checkpoint=file)


class Scaled(nn.Module):
    """An energy with a number that no state_dict and no repr has."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.network = factor, drawn(nn.Linear(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.network(x).square().squeeze(1)


def tempered(temperature: float) -> nn.Module:
    return TemperedEnergy(MLPEnergy(2, (8,), generator=seeded(1)), temperature)


def persistent(size: int = 64, seed: int = 3, spread: float = 1.0) -> Objective:
    def start_wide(count: int, generator: torch.Generator) -> Tensor:
        return spread * torch.randn(count, 2, generator=generator)

    buffer = ReplayBuffer(start_wide, size, 0.1, seeded(seed))
    return ContrastiveDivergence(PersistentChains(buffer, 3, 0.05))


def amortised(**numbers: float) -> Objective:
    return ContrastiveDivergence(AmortisedSampler(drawn(nn.Linear(2, 2)), 2, 0.3, **numbers))


def weighted(first: float) -> Objective:
    return JEM(EnergyDiscrepancy((0.3, first), 4))


def hooked(slope: float) -> nn.Module:
    energy = MLPEnergy(2, (8,), generator=seeded(1))
    energy.register_forward_hook(lambda module, given, found: slope * found)
    return energy


OTHER_FITS: dict[str, tuple[tuple[nn.Module, Objective], tuple[nn.Module, Objective], str]] = {
    "temperature": (
        (tempered(1.0), SlicedScoreMatching()),
        (tempered(5.0), SlicedScoreMatching()),
        r"energy.weights.0 1.0, now 0.2",
    ),
    "plain attribute": (
        (Scaled(1.0), SlicedScoreMatching()),
        (Scaled(2.0), SlicedScoreMatching()),
        r"energy.factor 1.0, now 2.0",
    ),
    "hook": (
        (hooked(1.0), SlicedScoreMatching()),
        (hooked(2.0), SlicedScoreMatching()),
        r"energy._forward_hooks",
    ),
    "activation": (
        (
            nn.Sequential(drawn(nn.Linear(2, 1)), nn.Softplus(1.0), nn.Flatten(0)),
            EnergyDiscrepancy((0.3,), 4),
        ),
        (
            nn.Sequential(drawn(nn.Linear(2, 1)), nn.Softplus(2.0), nn.Flatten(0)),
            EnergyDiscrepancy((0.3,), 4),
        ),
        r"energy.1.beta 1.0, now 2.0",
    ),
    "number of an objective": (
        (tempered(1.0), EnergyDiscrepancy((0.3, 1.0), 4)),
        (tempered(1.0), EnergyDiscrepancy((0.3, 2.0), 4)),
        r"objective.noise_scales.1 1.0, now 2.0",
    ),
    "first chains": (
        (tempered(1.0), persistent()),
        (tempered(1.0), persistent(seed=4)),
        "objective.negatives.buffer",
    ),
    "where chains start": (
        (tempered(1.0), persistent()),
        (tempered(1.0), persistent(spread=2.0)),
        "objective.negatives.buffer",
    ),
    "learning rate of a sampler": (
        (tempered(1.0), amortised(learning_rate=0.01)),
        (tempered(1.0), amortised(learning_rate=0.02)),
        r"objective.negatives.optimiser.lr 0.01, now 0.02",
    ),
    "proposals of a sampler": (
        (tempered(1.0), amortised(proposals=4)),
        (tempered(1.0), amortised(proposals=8)),
        r"objective.negatives.proposals 4, now 8",
    ),
}


@pytest.mark.parametrize("what", OTHER_FITS)
def test_a_checkpoint_tells_fits_apart_and_names_the_difference(what: str, tmp_path: Path) -> None:
    first, second, words = OTHER_FITS[what]
    options: Any = {
        "steps": 3,
        "batch": 32,
        "learning_rate": 0.01,
        "checkpoint": tmp_path / "fit.safetensors",
    }
    fit(first[0], X, first[1], generator=seeded(2), **options)
    fit(first[0], X, first[1], generator=seeded(2), **options)  # with the objective as the first left it
    with pytest.raises(ValueError, match=words):
        fit(second[0], X, second[1], generator=seeded(2), **options)


def test_the_averaged_energy_has_the_buffers_of_the_trained_one() -> None:
    network = nn.Sequential(
        nn.BatchNorm1d(2), drawn(nn.Linear(2, 8)), nn.SiLU(), drawn(nn.Linear(8, 1)), nn.Flatten(0)
    )
    fitted = fit(
        network,
        X + 3,
        EnergyDiscrepancy((0.5,), 4),
        steps=50,
        batch=32,
        learning_rate=0.01,
        generator=seeded(0),
    )
    assert fitted.averaged[0].running_mean.min() > 2
    assert torch.equal(fitted.averaged[0].running_mean, fitted.energy[0].running_mean)


class Centred(nn.Module):
    """Its buffer is another tensor after each call, as is usual for running means."""

    def __init__(self) -> None:
        super().__init__()
        self.network = drawn(nn.Linear(2, 1))
        self.register_buffer("centre", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.centre = 0.9 * self.centre + 0.1 * x.detach().mean(0)
        return self.network(x - self.centre).square().flatten()


def test_a_buffer_that_is_put_in_the_place_of_another_is_copied_too() -> None:
    objective = EnergyDiscrepancy((0.5,), 4)
    fitted = fit(Centred(), X + 3, objective, steps=50, batch=32, learning_rate=0.01, generator=seeded(0))
    assert fitted.averaged.centre.min() > 2
    assert torch.equal(fitted.averaged.centre, fitted.energy.centre)
