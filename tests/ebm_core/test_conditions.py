"""Every memory layout, gradient mode and wrapper of an energy gives the plain numbers, or names the cause."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

import ebm_core as core
from ebm_core.energies.gradients import Energy

Call = Callable[[Energy, Tensor], Any]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mlp() -> core.MLPEnergy:
    return core.MLPEnergy(2, (8,), generator=seeded(1))


def well(x: Tensor) -> Tensor:
    return (x.square() - 1).square().flatten(1).sum(1)


X = torch.randn(32, 2, generator=seeded())
IMAGES = torch.randn(6, 3, 8, 8, generator=seeded())
SAMPLERS: dict[str, Call] = {
    "langevin": lambda e, x: core.langevin(e, x, 5, 0.01, seeded()),
    "annealed": lambda e, x: core.annealed_langevin([e, e], x, 3, [0.02, 0.01], seeded()),
    "mala": lambda e, x: core.mala(e, x, 5, 0.01, seeded()).x,
    "hmc": lambda e, x: core.hmc(e, x, 5, 0.1, seeded()).x,
    "trace": lambda e, x: core.trace(lambda y: core.langevin(e, y, 1, 0.01, seeded()), x, 3),
    "input_gradient": core.input_gradient,
    "frozen_gradient": lambda e, x: core.frozen_gradient(e, x)(x),
    "denoising": lambda e, x: core.DenoisingScoreMatching(0.1).loss(e, x, seeded()),
    "sliced": lambda e, x: core.SlicedScoreMatching(2).loss(e, x, seeded()),
    "discrepancy": lambda e, x: core.EnergyDiscrepancy([0.1], 4).loss(e, x, seeded()),
    "contrastive": lambda e, x: core.ContrastiveDivergence(core.DataChains(3, 0.01)).loss(e, x, seeded()),
    "plane_slice": lambda e, x: torch.tensor(core.plane_slice(e, x, 5, radius=30.0).height),
}
CALLS: dict[str, Call] = SAMPLERS | {
    "tempering": lambda e, x: core.parallel_tempering(e, torch.stack([x, x]), 5, 0.01, [1, 2], seeded()).x,
    "ksd": lambda e, x: torch.tensor(core.ksd(e, x, seeded()).statistic),
}
OPTIONS: Any = {"steps": 3, "batch": 8, "learning_rate": 0.01}


def trained(energy: Any, x: Tensor, objective: core.Objective | None = None, **options: Any) -> Tensor:
    objective = objective or core.EnergyDiscrepancy([0.1], 4)
    return core.fit(energy, x, objective, generator=seeded(), **(OPTIONS | options)).loss


def same(found: Any, plain: Any, **tolerance: float) -> None:
    assert torch.isfinite(plain).any()  # a slice is NaN where there are no data
    torch.testing.assert_close(found, plain, equal_nan=True, **tolerance)


@pytest.mark.parametrize("name", [*SAMPLERS])
def test_memory_layouts_do_not_change_a_result(name: str) -> None:
    call = SAMPLERS[name]
    for energy in (mlp(), well):
        same(call(energy, X.T.contiguous().T), call(energy, X))
        overlapping = X.flatten()[:33].unfold(0, 2, 1)
        same(call(energy, overlapping), call(energy, overlapping.contiguous()))
    conv = core.ConvEnergy(3, (4,), generator=seeded(1))
    same(call(conv, IMAGES.to(memory_format=torch.channels_last)), call(conv, IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("discrepancy", "plane_slice")])
def test_gradients_are_taken_in_every_mode(name: str, mode: Callable[[], Any]) -> None:
    for energy in (mlp(), well):
        plain = CALLS[name](energy, X)
        with mode():
            same(CALLS[name](energy, X), plain)
            made = X.clone()
        same(CALLS[name](energy, made), plain)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fits_train_in_every_mode(mode: Callable[[], Any]) -> None:
    options: Any = {"validation": 8, "steps": 20, "learning_rate": 0.1, "weight_decay": 0.0}

    def tilt() -> Tensor:
        energy = core.BilinearEnergy(2, hidden=2, features=2, seeds=1, generator=seeded())
        return core.fit_tilt(energy, X[:, 0], X, generator=seeded(), **options).validation

    for fit in (lambda: trained(mlp(), X), tilt):
        plain = fit()
        with mode():
            same(fit(), plain)


UNUSABLE = {
    "sparse": (X.to_sparse(), "sparse or nested tensor; expected a dense tensor"),
    "csr": (X.to_sparse_csr(), "sparse or nested tensor; expected a dense tensor"),
    "nested": (torch.nested.nested_tensor([X[0], X[1]]), "sparse or nested tensor; expected a dense tensor"),
    "whole": ((3 * X).long(), "torch.int64 of shape .* expected floating point"),
    "complex": (X.to(torch.complex64), "torch.complex64 of shape .* expected floating point"),
    "meta": (X.to("meta"), "on the device meta"),
    "array": (X.numpy(), "ndarray; expected a tensor"),
}


@pytest.mark.parametrize("kind", [*UNUSABLE])
@pytest.mark.parametrize("name", [*SAMPLERS, "ksd", "fit"])
def test_points_that_cannot_be_used_are_named(name: str, kind: str) -> None:
    x, why = UNUSABLE[kind]
    call: Any = trained if name == "fit" else CALLS[name]
    with pytest.raises(ValueError, match=rf"^(x|batch|data): .*{why}"):
        call(mlp(), x)


@pytest.mark.parametrize(
    "name", ["mala", "input_gradient", "denoising", "sliced", "discrepancy", "plane_slice"]
)
def test_types_that_do_not_match_the_weights_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"^energy: failed on x, torch.float64 .* same dtype"):
        CALLS[name](mlp(), X.double())
    with pytest.raises(ValueError, match=r"^energy: failed on x, torch.float32 .* device meta"):
        CALLS[name](mlp().to("meta"), X)
    with pytest.raises(ValueError, match=r"^energy: weights are on the device meta"):
        trained(mlp().to("meta"), X)


@pytest.fixture(scope="module")
def process_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path = tmp_path_factory.mktemp("group") / "store"
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def parallel(kind: str, energy: nn.Module) -> Any:
    if kind == "data":
        return nn.DataParallel(energy)
    return nn.parallel.DistributedDataParallel(energy)


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("kind", ["data", "distributed"])
def test_parallel_wrappers_give_the_numbers_of_the_energy(kind: str, tmp_path: Path) -> None:
    for name, call in CALLS.items():
        if kind == "data" or name not in ("input_gradient", "denoising", "sliced"):
            same(call(parallel(kind, mlp()), X), call(mlp(), X))
    objective = core.ContrastiveDivergence(core.DataChains(3, 0.01))
    same(trained(parallel(kind, mlp()), X, objective), trained(mlp(), X, objective))
    plain = trained(mlp(), X, steps=6)
    for steps in (3, 6):
        found = trained(parallel(kind, mlp()), X, steps=steps, checkpoint=tmp_path / "checkpoint")
    same(found, plain)
    joint = core.JEM(core.EnergyDiscrepancy([0.1], 4))
    wrapped = parallel(kind, core.ClassEnergy(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"has no logits; expected a ClassEnergy, such as energy\.module"):
        joint.loss(wrapped, (X, torch.zeros(32, dtype=torch.int64)), seeded())


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("objective", [core.DenoisingScoreMatching(0.1), core.SlicedScoreMatching()])
def test_gradients_of_gradients_in_several_processes_are_refused(objective: core.Objective) -> None:
    with pytest.raises(ValueError, match=r"^energy: DistributedDataParallel .* pass energy\.module"):
        trained(parallel("distributed", mlp()), X, objective)


def compiled(kind: str, graphs: list[Any]) -> Any:
    """A compiled energy. Each of its graphs is added to a list when it is compiled."""

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return aot_eager(graph, inputs)

    torch._dynamo.reset()
    if kind == "function":
        return torch.compile(well, backend=backend)
    energy = mlp()
    if kind == "module":
        return torch.compile(energy, backend=backend)
    energy.compile(backend=backend)
    return energy


@pytest.mark.parametrize("kind", ["function", "module", "method"])
def test_compiled_energies_give_the_numbers_of_the_energy(kind: str) -> None:
    plain = well if kind == "function" else mlp()
    for name in ("langevin", "hmc", "input_gradient", "denoising", "sliced", "discrepancy"):
        graphs: list[Any] = []
        same(CALLS[name](compiled(kind, graphs), X), CALLS[name](plain, X))
        assert graphs or name not in ("hmc", "discrepancy")  # others may use formulas, or differentiate twice


def test_a_fit_of_a_compiled_energy_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = trained(mlp(), X, steps=6)
    losses: list[Tensor] = []
    loss = core.EnergyDiscrepancy.loss
    monkeypatch.setattr(
        core.EnergyDiscrepancy, "loss", lambda *given: losses.append(loss(*given)) or losses[-1]
    )
    for steps in (3, 6):
        graphs: list[Any] = []
        checkpoint = tmp_path / "checkpoint"
        found = trained(compiled("module", graphs), X, steps=steps, checkpoint=checkpoint)
        assert graphs and len(losses) == steps
    same(found, plain)
