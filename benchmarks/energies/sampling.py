"""Samplers of `ebm_core`: speed compared with TorchEBM and ebmkit, and correctness of AIS and tempering."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from scipy import stats
from sklearn.mixture import GaussianMixture
from torch import Tensor

from benchmarks.row import Row
from ebm_core import (
    FunnelEnergy,
    GaussianEnergy,
    GaussianMixtureEnergy,
    MLPEnergy,
    ScaledEnergy,
    SumEnergy,
    ais,
    bracket,
    langevin,
    parallel_tempering,
    reverse_ais,
)
from tasks.runtime.errors import BasinError

BATCH, STEPS, STEP_SIZE = 1024, 100, 0.01
ROUNDS = 15
SHAPES: list[tuple[int, tuple[int, ...], bool]] = [
    (8, (128, 128), True),
    (64, (128, 128), True),
    (2, (64, 64), False),
    (64, (256, 256, 256), False),
]
"""Number of inputs, hidden widths, and whether there is a target for the speed."""
FLOORS = {"TorchEBM": 1.9, "ebmkit": 1.6}
"""Targets for the speed relative to each library."""
SEEDS = 20
INSTALL = "python -m pip install --no-deps torchebm==0.8.9 ebmkit==0.16.0"


def peers() -> tuple[Any, Any]:
    """Import TorchEBM and ebmkit; raises ``BasinError`` if they are not installed."""
    try:
        import ebm
        import torchebm.core
        import torchebm.samplers
    except ImportError as error:
        raise BasinError(f"TorchEBM or ebmkit is not installed; run `{INSTALL}`") from error
    return torchebm, ebm


def seconds(work: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return the CPU seconds of each function, called in turn ``rounds`` times after a warm-up round."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for i in range(rounds + 1):
        for name, run in work.items():
            began = time.process_time()
            run()
            if i:
                taken[name].append(time.process_time() - began)
    return taken


def ratio(taken: dict[str, list[float]], slow: str, fast: str) -> float:
    """Return the median over rounds of the ratio of the times of ``slow`` and ``fast``."""
    return statistics.median(a / b for a, b in zip(taken[slow], taken[fast], strict=True))


def operations(d: int, hidden: tuple[int, ...]) -> int:
    """Return the number of floating-point operations of the energy and its input gradient, per sample."""
    widths = [d, *hidden, 1]
    return 4 * sum(a * b for a, b in pairwise(widths))


def by_torchebm(torchebm: Any, network: torch.nn.Module, x: Tensor) -> Callable[[], Tensor]:
    class Energy(torchebm.core.BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x).squeeze(-1)

    sampler = torchebm.samplers.LangevinDynamics(Energy(), step_size=STEP_SIZE)
    generator = torch.Generator().manual_seed(0)
    return lambda: sampler.sample(x=x, n_steps=STEPS, generator=generator)


def by_ebmkit(ebm: Any, energy: torch.nn.Module, x: Tensor) -> Callable[[], Tensor]:
    sampler = ebm.LangevinDynamics(step_size=STEP_SIZE, steps=STEPS)
    return lambda: sampler.sample(energy, x)


def speed() -> Iterator[Row]:
    """Measure sample-steps per second of each library, with the same network in fp32."""
    torch.set_num_threads(1)
    torchebm, ebm = peers()
    for d, hidden, asked in SHAPES:
        generator = torch.Generator().manual_seed(0)
        energy = MLPEnergy(d, hidden, generator=generator)
        theirs = ebm.nets.MLPEnergy(d, hidden)
        with torch.no_grad():
            for new, old in zip(theirs.parameters(), energy.parameters(), strict=True):
                new.copy_(old)
        half = copy.deepcopy(energy).bfloat16()
        x = torch.randn(BATCH, d, generator=generator)
        square = torch.randn(1024, 1024, generator=generator)
        taken = seconds(
            {
                "ours": lambda e=energy, x=x, g=generator: langevin(e, x, STEPS, STEP_SIZE, g),
                "TorchEBM": by_torchebm(torchebm, theirs.net, x),
                "ebmkit": by_ebmkit(ebm, theirs, x),
                "product": lambda a=square: [torch.mm(a, a) for _ in range(10)],
            }
        )
        middle = {name: statistics.median(values) for name, values in taken.items()}
        name = f"Langevin, MLP {'–'.join(map(str, (d, *hidden, 1)))}, batch {BATCH}"
        for peer, floor in FLOORS.items():
            times = ratio(taken, peer, "ours")
            words = f"{times:.2f} ×"
            yield Row(
                f"{name}: speed of {peer}'s",
                f"≥ {floor} ×" if asked else "shown",
                words,
                times >= floor or not asked,
                value=times,
            )
        ceiling = 10 * 2 * 1024**3 / middle["product"]
        rate = operations(d, hidden) * BATCH * STEPS / middle["ours"]
        seen = (
            f"{BATCH * STEPS / middle['ours'] / 1e6:.2f} million sample-steps/s, {rate / 1e9:.0f} of "
            f"{ceiling / 1e9:.0f} GFLOP/s: {rate / ceiling:.0%}"
        )
        share = 100 * rate / ceiling
        yield Row(f"{name}: share of the measured matrix-product ceiling", "shown", seen, True, share, "%")
        taken = seconds(
            {
                "fp32": lambda e=energy, x=x, g=generator: langevin(e, x, STEPS // 10, STEP_SIZE, g),
                "bf16": lambda e=half, x=x, g=generator: langevin(e, x, STEPS // 10, STEP_SIZE, g),
            },
            rounds=5,  # few, because bf16 is twenty times slower on a processor without bf16 products
        )
        times = ratio(taken, "fp32", "bf16")
        yield Row(f"{name}: bf16", "shown", f"{times:.2f} × fp32", True, value=times)


class Bowl:
    """Energy ½ ‖x‖² with its gradient."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / 2

    def frozen_gradient(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda at: at


def half_precision() -> Iterator[Row]:
    """Measure the bias of chains of 10,000 steps on a normal distribution tilted by a network.

    Exact moments are computed by quadrature.
    """
    torch.set_num_threads(1)
    network = MLPEnergy(2, (64, 64), generator=torch.Generator().manual_seed(0))
    axis = torch.linspace(-8, 8, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        weight = (-SumEnergy([copy.deepcopy(network).double(), Bowl()], [30.0, 1.0])(grid)).softmax(0)
    mean = weight @ grid
    spread = (weight @ (grid - mean).square()).sqrt()
    chains, ends = 1000, {}
    for name, precise in (("fp32", network), ("bf16", copy.deepcopy(network).bfloat16())):
        generator = torch.Generator().manual_seed(1)
        energy = SumEnergy([ScaledEnergy(precise, 30.0), Bowl()])
        start = torch.randn(chains, 2, generator=generator)
        x = ends[name] = langevin(energy, start, 10_000, 0.01, generator).double()
        off = ((x.mean(0) - mean) / spread).abs().max()
        wide = (x.std(0) / spread - 1).abs().max()
        seen = f"mean off by {off:.3f} sd, sd by {wide:.1%} (chance alone: {chains**-0.5:.3f} sd, "
        seen += f"{(2 * chains) ** -0.5:.1%})"
        yield Row(f"{chains:,} chains of 10,000 steps, {name}: largest bias", "shown", seen, True)
    apart = ((ends["bf16"] - ends["fp32"]).mean(0) / spread).abs().max()
    yield Row(
        "the same chains, bf16 against fp32 with the same noise: bias",
        "shown",
        f"mean off by {apart:.4f} sd",
        True,
    )


def normal_law(x: Tensor) -> GaussianEnergy:
    return GaussianEnergy(x.mean(0), x.T.cov())


def round_mixture(x: Tensor) -> GaussianMixtureEnergy:
    found = GaussianMixture(12, covariance_type="spherical", random_state=0).fit(x.numpy())
    fitted = (found.means_, found.covariances_**0.5, found.weights_)
    means, scales, weights = (torch.as_tensor(values, dtype=x.dtype) for values in fitted)
    return GaussianMixtureEnergy(means, scales, weights / weights.sum())


def normalisers() -> Iterator[Row]:
    """Measure how often forward and reverse AIS, each with three standard errors, bracket the true log Z.

    The base is fitted to draws from the target. It is a normal distribution or, for the funnel, a mixture of
    twelve spherical normal distributions.
    """
    torch.set_num_threads(1)
    layout = torch.Generator().manual_seed(0)
    means, scales = 2 * torch.randn(5, 10, generator=layout), 0.5 + torch.rand(5, generator=layout)
    mixture = GaussianMixtureEnergy(means, scales, torch.full((5,), 0.2))
    targets: dict[str, tuple[Any, Callable[[Tensor], Any], list[float], int, int]] = {
        "2-D funnel": (FunnelEnergy(2), round_mixture, [0.01, 0.1, 1.0, 10.0], 6000, 200),
        "10-D Gaussian mixture": (mixture, normal_law, [0.3], 4000, 500),
    }
    for name, (target, fit, step_sizes, chains, levels) in targets.items():
        base = fit(target.sample(10_000, torch.Generator().manual_seed(SEEDS)))
        held, widths = 0, []
        for seed in range(SEEDS):
            generator = torch.Generator().manual_seed(seed)
            forward = ais(target, base, chains, levels, step_sizes, generator)
            exact = target.sample(chains, generator)
            low, high = bracket(forward, reverse_ais(target, base, exact, levels, step_sizes, generator))
            held += low <= target.log_z <= high
            widths.append(high - low)
        width = statistics.median(widths)
        seen = f"{held} of {SEEDS}; {width:.3f} nat"
        yield Row(
            f"log Z by AIS, {name}: truth bracketed; median width",
            f"≥ {SEEDS - 1} of {SEEDS}; ≤ 0.1 nat",
            seen,
            held >= SEEDS - 1 and width <= 0.1,
            value=width,
            unit="nats",
        )


def modes() -> Iterator[Row]:
    """Test whether chains started in the lighter of two modes, 6 σ apart, find the masses ¼ and ¾.

    The test is χ² on the counts over 20 seeds.
    """
    torch.set_num_threads(1)
    centres, masses = torch.tensor([[-3.0, 0.0], [3.0, 0.0]]), torch.tensor([0.25, 0.75])
    target = GaussianMixtureEnergy(centres, torch.ones(2), masses)
    chains, steps, temperatures = 400, 500, [1.0, 2.0, 4.0, 9.0]
    statistic = {"tempering": 0.0, "Langevin": 0.0}
    share = {"tempering": 0.0, "Langevin": 0.0}
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        x = centres[0] + torch.randn(chains, 2, generator=generator)
        spread = x.expand(len(temperatures), *x.shape)
        ends = {
            "tempering": parallel_tempering(target, spread, steps, 0.5, temperatures, generator).x[0],
            "Langevin": langevin(target, x, steps * len(temperatures), 0.02, generator),
        }
        for name, end in ends.items():
            heavy = int((end[:, 0] > 0).sum())
            expected = 0.75 * chains
            statistic[name] += (heavy - expected) ** 2 / (expected * 0.25)
            share[name] += heavy / chains / SEEDS
    for name, fits in (("tempering", True), ("Langevin", False)):
        p = float(stats.chi2.sf(statistic[name], SEEDS))
        met = p > 0.01 if fits else p < 1e-6
        asked = "75 %: p > .01" if fits else "fails: p < 1e-6"
        yield Row(
            f"modes 6 σ apart, share of the heavier by {name}", asked, f"{share[name]:.1%}, p = {p:.2g}", met
        )


def cuda() -> Iterator[Row]:
    """Measure the speed of the first two shapes on a CUDA device relative to an fp32 matrix product."""
    what, asked = "Langevin on a CUDA device, share of its measured matrix-product ceiling", "≥ 50 %"
    if not torch.cuda.is_available():
        print("cuda: no CUDA device found, so nothing is measured", flush=True)
        return
    generator = torch.Generator("cuda").manual_seed(0)
    for d, hidden, _ in SHAPES[:2]:
        energy = MLPEnergy(d, hidden, generator=torch.Generator().manual_seed(0)).cuda()
        x = torch.randn(64 * BATCH, d, generator=generator, device="cuda")
        square = torch.randn(8192, 8192, generator=generator, device="cuda")

        def rate(work: Callable[[], object], operations: float) -> float:
            work()
            torch.cuda.synchronize()
            began = time.perf_counter()
            work()
            torch.cuda.synchronize()
            return operations / (time.perf_counter() - began)

        ceiling = rate(lambda a=square: torch.mm(a, a), 2 * 8192**3)
        ours = rate(
            lambda e=energy, x=x: langevin(e, x, STEPS, STEP_SIZE, generator),
            operations(d, hidden) * len(x) * STEPS,
        )
        yield Row(
            f"{what}, d = {d}", asked, f"{ours / ceiling:.0%}", ours >= ceiling / 2, 100 * ours / ceiling, "%"
        )


ROWS: dict[str, Callable[[], Iterator[Row]]] = {
    "langevin": speed,
    "bf16": half_precision,
    "ais": normalisers,
    "modes": modes,
    "cuda": cuda,
}
