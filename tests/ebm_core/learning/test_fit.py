"""One fit for all objectives: it resumes to the same bits, and stops where it must, saying why."""

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from ebm_core.base.files import load_checkpoint, save_checkpoint
from ebm_core.base.identity import identity
from ebm_core.energies.compositions import TemperedEnergy
from ebm_core.energies.networks import ClassEnergy, MLPEnergy, initialise
from ebm_core.learning.amortised import AmortisedSampler
from ebm_core.learning.fit import EnergyFit, fit
from ebm_core.learning.gradient_objectives import DenoisingScoreMatching, SlicedScoreMatching
from ebm_core.learning.negatives import DataChains, PersistentChains
from ebm_core.learning.objectives import JEM, ContrastiveDivergence, EnergyDiscrepancy, Objective
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
    assert saved is None or all(torch.isfinite(w).all() for w in saved["energy"]["state"].values())


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


class Weighted(Objective):
    """An objective with a tensor that is not part of its state."""

    def __init__(self, weight: float) -> None:
        self.weight = torch.tensor(weight)

    def loss(self, energy: Any, batch: Any, generator: torch.Generator) -> Tensor:
        return self.weight * EnergyDiscrepancy((0.3,), 4).loss(energy, batch, generator)


class Private(Scaled):
    def __init__(self, scale: float) -> None:
        super().__init__(1.0)
        self._scale = scale


@dataclass(slots=True)
class Slotted:
    number: float


class Named(dict):  # type: ignore[type-arg]
    """A dictionary with attributes."""

    def __init__(self, number: float) -> None:
        super().__init__(a=1.0)
        self.number = number


def defined(source: str, name: str = "f", **names: Any) -> Any:
    """A function or class of a module with this source."""
    module: dict[str, Any] = {"__name__": "a_users_module", "torch": torch} | names
    exec(source, module)
    return module[name]


def holding(value: Any) -> nn.Module:
    """An energy with a function that returns a value, which a fit need not copy."""
    energy = Scaled(1.0)
    energy.held = lambda: value
    return energy


def local_class(slope: float) -> nn.Module:
    class Local(Scaled):
        def forward(self, x: Tensor) -> Tensor:
            return slope * super().forward(x)

    return Local(1.0)


def forward_of_a_class(of: str) -> nn.Module:
    source = f"class Users(Scaled):\n    def forward(self, x):\n        return {of} * super().forward(x)"
    energy: nn.Module = defined(source, "Users", Scaled=Scaled)(1.0)
    return energy


def patched_method(of: str) -> nn.Module:
    energy = Scaled(1.0)
    source = f"def f(self, x):\n    return {of} * self.network(x).square().squeeze(1)"
    energy.forward = types.MethodType(defined(source), energy)  # type: ignore[method-assign]
    return energy


def property_of_a_class(number: str) -> Any:
    return defined(f"class A:\n    @property\n    def b(self):\n        return {number}", "A")()


def layers(*which: int) -> nn.Module:
    made = [drawn(nn.Linear(2, 2)) for _ in range(2)]
    return nn.Sequential(*(made[at] for at in which), drawn(nn.Linear(2, 1)), nn.Flatten(0))


def frozen(first: bool) -> nn.Module:
    network = layers(0, 1)
    network[0].requires_grad_(not first)  # type: ignore[operator]
    return network


def unset(value: float | None) -> Callable[[], Any]:
    """A function with a cell that is empty if the value is None."""
    if value is not None:
        held = value
    return lambda: held


def parametrized(kind: Any, scale: float) -> nn.Module:
    torch.manual_seed(0)
    network = layers(0, 1)
    with torch.no_grad():
        network[0].weight.mul_(scale)  # type: ignore[operator, union-attr]
    kind(network[0])
    return network


def cached(number: float) -> Any:
    return defined("@functools.lru_cache\ndef f(x):\n    return x * " + str(number), functools=functools)


GLOBAL = "def f(x):\n    return [g(y) for y in x]\ndef g(y):\n    return y * "
FROZEN = "def f(x):\n    return x in {'a', 'b', 'c', 'd', 'e', "
SERIES = pd.Series([1.0, 2.0], index=["a", "b"])

Values = tuple[Callable[[], Any], Callable[[], Any]]
OTHER_VALUES: dict[str, Values] = {
    "numpy scalar": (lambda: np.float32(1), lambda: np.float32(2)),
    "numpy integer": (lambda: np.int64(1), lambda: np.int64(2)),
    "range": (lambda: range(3), lambda: range(4)),
    "path": (lambda: Path("a"), lambda: Path("b")),
    "fraction": (lambda: Fraction(1, 2), lambda: Fraction(1, 3)),
    "deque": (lambda: deque([1.0, 2.0]), lambda: deque([1.0, 3.0])),
    "device": (lambda: torch.device("cpu"), lambda: torch.device("meta")),
    "slots": (lambda: Slotted(1.0), lambda: Slotted(2.0)),
    "attribute of a dictionary": (lambda: Named(1.0), lambda: Named(2.0)),
    "constant mapping": (
        lambda: types.MappingProxyType({"a": 1.0}),
        lambda: types.MappingProxyType({"a": 2.0}),
    ),
    "series": (lambda: SERIES.copy(), lambda: SERIES + 1),
    "frame": (lambda: SERIES.to_frame(), lambda: (SERIES + 1).to_frame()),
    "long text": (lambda: "a" * 1000 + "b", lambda: "a" * 1000 + "c"),
    "array of text": (lambda: np.array(["a"]), lambda: np.array(["b"])),
    "array of objects": (lambda: np.array([Slotted(1.0)]), lambda: np.array([Slotted(2.0)])),
    "array of dates": (lambda: np.array(["2020"], "M8[D]"), lambda: np.array(["2021"], "M8[D]")),
    "negative strides": (lambda: np.arange(3)[::-1], lambda: np.arange(3)),
    "sparse": (lambda: torch.eye(2).to_sparse(), lambda: 2 * torch.eye(2).to_sparse()),
    "compressed": (lambda: torch.eye(2).to_sparse_csr(), lambda: 2 * torch.eye(2).to_sparse_csr()),
    "nested": (
        lambda: torch.nested.as_nested_tensor([torch.ones(2), torch.ones(3)]),
        lambda: torch.nested.as_nested_tensor([torch.ones(2), torch.zeros(3)]),
    ),
    "meta": (lambda: torch.empty(2, device="meta"), lambda: torch.empty(3, device="meta")),
    "conjugate": (lambda: torch.tensor([1j]).conj(), lambda: torch.tensor([1j])),
    "empty cell": (lambda: unset(None), lambda: unset(1.0)),
    "generator": (lambda: Slotted(seeded(1)), lambda: Slotted(seeded(2))),  # type: ignore[arg-type]
    "tensor twice": (lambda: [X, X], lambda: [X, X.clone()]),
    "set": (lambda: {"a", "b", ("c", 1.0)}, lambda: {"a", "b", ("c", 2.0)}),
    "key": (lambda: {(Slotted, 1.0): 1}, lambda: {(Slotted, 2.0): 1}),
    "key of another type": (lambda: {1: 1.0}, lambda: {"1": 1.0}),
    "partial": (lambda: functools.partial(pow, 2), lambda: functools.partial(pow, 3)),
    "function of a library": (lambda: torch.tanh, lambda: torch.sigmoid),
    "default": (lambda: defined("def f(x=1): return x"), lambda: defined("def f(x=2): return x")),
    "keyword default": (
        lambda: defined("def f(*, x=1): return x"),
        lambda: defined("def f(*, x=2): return x"),
    ),
    "order of arguments": (
        lambda: defined("def f(x, y): return x"),
        lambda: defined("def f(y, x): return x"),
    ),
    "global": (lambda: defined("def f(): return a", a=1.0), lambda: defined("def f(): return a", a=2.0)),
    "global function": (lambda: defined(GLOBAL + "2"), lambda: defined(GLOBAL + "3")),
    "constant set": (lambda: defined(FROZEN + "'f'}"), lambda: defined(FROZEN + "'g'}")),
    "cached function": (lambda: cached(1.0), lambda: cached(2.0)),
    "property": (lambda: property_of_a_class("1"), lambda: property_of_a_class("2")),
    "attribute of a class": (
        lambda: defined("class A:\n    b = 1", "A")(),
        lambda: defined("class A:\n    b = 2", "A")(),
    ),
    "base of a class": (
        lambda: defined("class B:\n    b = 1\nclass A(B): pass", "A"),
        lambda: defined("class B:\n    b = 2\nclass A(B): pass", "A"),
    ),
}

Made = tuple[nn.Module, Objective]
OTHER_FITS: dict[str, tuple[Callable[[], Made], Callable[[], Made], str]] = {
    "temperature": (
        lambda: (tempered(1.0), SlicedScoreMatching()),
        lambda: (tempered(5.0), SlicedScoreMatching()),
        r"energy.weights.0 1.0, now 0.2",
    ),
    "plain attribute": (
        lambda: (Scaled(1.0), SlicedScoreMatching()),
        lambda: (Scaled(2.0), SlicedScoreMatching()),
        r"energy.factor 1.0, now 2.0",
    ),
    "private attribute": (
        lambda: (Private(1.0), SlicedScoreMatching()),
        lambda: (Private(2.0), SlicedScoreMatching()),
        r"energy._scale 1.0, now 2.0",
    ),
    "hook": (
        lambda: (hooked(1.0), SlicedScoreMatching()),
        lambda: (hooked(2.0), SlicedScoreMatching()),
        r"energy._forward_hooks.0.slope 1.0, now 2.0",
    ),
    "weight norm": (
        lambda: (parametrized(nn.utils.parametrizations.weight_norm, 1.0), EnergyDiscrepancy((0.3,), 4)),
        lambda: (parametrized(nn.utils.parametrizations.weight_norm, 2.0), EnergyDiscrepancy((0.3,), 4)),
        r"energy.0.parametrizations.weight.original",
    ),
    "spectral norm": (
        lambda: (parametrized(nn.utils.parametrizations.spectral_norm, 1.0), EnergyDiscrepancy((0.3,), 4)),
        lambda: (parametrized(nn.utils.parametrizations.spectral_norm, 2.0), EnergyDiscrepancy((0.3,), 4)),
        r"energy.0.parametrizations.weight.original",
    ),
    "activation": (
        lambda: (
            nn.Sequential(drawn(nn.Linear(2, 1)), nn.Softplus(1.0), nn.Flatten(0)),
            EnergyDiscrepancy((0.3,), 4),
        ),
        lambda: (
            nn.Sequential(drawn(nn.Linear(2, 1)), nn.Softplus(2.0), nn.Flatten(0)),
            EnergyDiscrepancy((0.3,), 4),
        ),
        r"energy.1.beta 1.0, now 2.0",
    ),
    "forward of a class of the same name": (
        lambda: (forward_of_a_class("1.0"), EnergyDiscrepancy((0.3,), 4)),
        lambda: (forward_of_a_class("2.0"), EnergyDiscrepancy((0.3,), 4)),
        r"energy.class.forward Users.forward",
    ),
    "number of a local class": (
        lambda: (local_class(1.0), EnergyDiscrepancy((0.3,), 4)),
        lambda: (local_class(2.0), EnergyDiscrepancy((0.3,), 4)),
        r"energy.class.forward.slope 1.0, now 2.0",
    ),
    "method of an instance": (
        lambda: (patched_method("1.0"), EnergyDiscrepancy((0.3,), 4)),
        lambda: (patched_method("2.0"), EnergyDiscrepancy((0.3,), 4)),
        r"energy.forward.__func__",
    ),
    "a layer that is used twice": (
        lambda: (layers(0, 1, 0), EnergyDiscrepancy((0.3,), 4)),
        lambda: (layers(0, 1, 1), EnergyDiscrepancy((0.3,), 4)),
        r"energy.2 same as energy.0, now same as energy.1",
    ),
    "frozen weights": (
        lambda: (frozen(True), EnergyDiscrepancy((0.3,), 4)),
        lambda: (frozen(False), EnergyDiscrepancy((0.3,), 4)),
        r"energy.0.weight torch.float32 \(2, 2\) (\w*), now torch.float32 \(2, 2\) \1 requires_grad",
    ),
    "number of an objective": (
        lambda: (tempered(1.0), EnergyDiscrepancy((0.3, 1.0), 4)),
        lambda: (tempered(1.0), EnergyDiscrepancy((0.3, 2.0), 4)),
        r"objective.noise_scales.1 1.0, now 2.0",
    ),
    "tensor of an objective": (
        lambda: (tempered(1.0), Weighted(1.0)),
        lambda: (tempered(1.0), Weighted(2.0)),
        r"objective.weight",
    ),
    "first chains": (
        lambda: (tempered(1.0), persistent()),
        lambda: (tempered(1.0), persistent(seed=4)),
        "objective.negatives.buffer",
    ),
    "where chains start": (
        lambda: (tempered(1.0), persistent()),
        lambda: (tempered(1.0), persistent(spread=2.0)),
        "objective.negatives.buffer",
    ),
    "learning rate of a sampler": (
        lambda: (tempered(1.0), amortised(learning_rate=0.01)),
        lambda: (tempered(1.0), amortised(learning_rate=0.02)),
        r"objective.negatives.optimiser.param_groups.0.lr 0.01, now 0.02",
    ),
    "proposals of a sampler": (
        lambda: (tempered(1.0), amortised(proposals=4)),
        lambda: (tempered(1.0), amortised(proposals=8)),
        r"objective.negatives.proposals 4, now 8",
    ),
}


def one_step(made: Made, file: Path, seed: int = 2, steps: int = 1) -> EnergyFit:
    options: Any = {"steps": steps, "batch": 32, "learning_rate": 0.01, "checkpoint": file}
    return fit(made[0], X, made[1], generator=seeded(seed), **options)


@pytest.mark.parametrize("what", OTHER_FITS)
def test_a_checkpoint_tells_fits_apart_and_names_the_difference(what: str, tmp_path: Path) -> None:
    first, second, words = OTHER_FITS[what]
    used = first()
    one_step(used, tmp_path / "fit")
    one_step(first(), tmp_path / "fit")
    one_step(used, tmp_path / "fit")
    with pytest.raises(ValueError, match=words):
        one_step(second(), tmp_path / "fit")


@pytest.mark.filterwarnings("ignore:Sparse CSR", "ignore:The PyTorch API of nested")
@pytest.mark.parametrize("what", OTHER_VALUES)
def test_a_checkpoint_tells_values_of_all_types_apart(what: str, tmp_path: Path) -> None:
    first, second = OTHER_VALUES[what]
    one_step((holding(first()), SlicedScoreMatching()), tmp_path / "fit")
    one_step((holding(first()), SlicedScoreMatching()), tmp_path / "fit")
    with pytest.raises(ValueError, match=r"another fit: energy\.held"):
        one_step((holding(second()), SlicedScoreMatching()), tmp_path / "fit")


def test_another_seed_is_another_fit(tmp_path: Path) -> None:
    one_step((tempered(1.0), SlicedScoreMatching()), tmp_path / "fit")
    with pytest.raises(ValueError, match="another fit: generator seed 2, now seed 3"):
        one_step((tempered(1.0), SlicedScoreMatching()), tmp_path / "fit", seed=3)


def test_values_that_cannot_be_copied_and_cycles_have_an_identity() -> None:
    around: list[Any] = [threading.Lock(), np.nan]
    around.append({frozenset([unset(1.0)]): around})
    assert identity(of=around) == identity(of=around)
    assert "of.2.item 0.1" in identity(of=around)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('def f(x):\n    "Words."\n    return None', 'def f(x):\n\n    "Other words."\n    return None'),
        ('def f(x):\n    "Words."\n    g = 2', "def f(x):\n    g = 2"),
        ('def f():\n  class A:\n    "Words."\n  return A', "def f():\n\n  class A:\n    pass\n  return A"),
    ],
)
def test_words_about_a_function_do_not_change_what_it_is(first: str, second: str) -> None:
    assert identity(of=defined(first)) == identity(of=defined(second))


def test_a_script_and_its_copy_in_another_process_define_the_same_functions() -> None:
    source = "def f():\n    class A: pass\n    return A"
    assert identity(of=defined(source, __name__="__main__")) == identity(
        of=defined(source, __name__="__mp_main__")
    )


def test_a_value_that_a_property_keeps_does_not_change_what_an_object_is() -> None:
    normal = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    before = identity(of=normal)
    assert normal.precision_matrix.shape == (2, 2) and identity(of=normal) == before


def identities() -> str:
    """Return a line for each value of this file and for a set, whose order depends on the hash seed."""
    values = [first[0]() for first in [*OTHER_VALUES.values(), *OTHER_FITS.values()]]
    of_all = {"a", "b", "c", None, 1.0, Slotted, unset, (Path("a"), frozenset("abc"))}
    return "\n".join(str(identity(of=value)) for value in [*values, of_all])


def test_identities_are_the_same_in_all_processes() -> None:
    command = [sys.executable, "-W", "ignore", "-c", "import test_fit; print(test_fit.identities())"]
    # Another seed than that of this process, where one is set.
    environment = os.environ | {"PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    options: Any = {"cwd": Path(__file__).parent, "env": environment, "text": True}
    text = subprocess.run(command, check=True, capture_output=True, **options).stdout
    assert len(text.splitlines()) == len(OTHER_VALUES) + len(OTHER_FITS) + 1 and " at 0x" not in text
    assert text.strip() == identities()


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_fit_goes_on_with_the_objective_that_it_has_used(name: str, tmp_path: Path) -> None:
    """As in a notebook, where a cell is interrupted and run again."""
    file, made = tmp_path / "fit", objective(name)
    for step in (19, 9):  # the second time after step 22
        patch = killed_at(step, type(made))
        with pytest.raises(KeyboardInterrupt):
            run(name, checkpoint=file, objective=made)
        patch.undo()
    saved = load_checkpoint(file)
    assert saved is not None and len(saved["loss"]) == 21
    assert same(run(name, checkpoint=file, objective=made), run(name))
    assert same(run(name, checkpoint=file, objective=objective(name)), run(name))


def test_a_used_objective_does_not_hide_that_other_things_have_changed(tmp_path: Path) -> None:
    file, made = tmp_path / "fit", persistent()
    one_step((tempered(1.0), made), file)
    with pytest.raises(ValueError, match=r"another fit: energy.weights"):
        one_step((tempered(5.0), made), file)
    made.negatives.buffer.chains += 1  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"another fit: objective.negatives.buffer.chains"):
        one_step((tempered(1.0), made), file)


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
