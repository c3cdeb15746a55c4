"""What a checkpoint stores, what it cannot store, and which code of users it knows."""

import importlib
import importlib.util
import statistics
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ebm_core import EnergyDiscrepancy, EnergyFit, MLPEnergy, fit
from ebm_core.base.files import load_checkpoint
from ebm_core.base.identity import changed, difference, identity
from ebm_core.energies.networks import initialise


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.randn(200, 2, generator=seeded(0)) + 3
DISCREPANCY = EnergyDiscrepancy((0.5,), 4)


def drawn(network: nn.Module) -> nn.Module:
    initialise(network, seeded(1))
    return network


def mlp() -> MLPEnergy:
    return MLPEnergy(2, (8,), generator=seeded(1))


def trained(energy: nn.Module, steps: int = 1, objective: Any = DISCREPANCY, **options: Any) -> EnergyFit:
    numbers: Any = {"batch": 32, "learning_rate": 0.01, "generator": seeded(0)} | options
    return fit(energy, X, objective, steps=steps, **numbers)


def defined(source: str, name: str = "f", **names: Any) -> Any:
    """A function or class of a module with this source."""
    module: dict[str, Any] = {"__name__": "a_users_module", "torch": torch} | names
    exec(source, module)
    return module[name]


class Scaled(nn.Module):
    """An energy with a number that no state_dict has."""

    def __init__(self) -> None:
        super().__init__()
        self.factor, self.network = 1.0, drawn(nn.Linear(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.network(x).square().squeeze(1)


class Fading(nn.Module):
    """Its first buffer is not in its state_dict, and the other one is made in training."""

    def __init__(self) -> None:
        super().__init__()
        self.network = drawn(nn.Linear(2, 1))
        self.register_buffer("centre", torch.zeros(2), persistent=False)
        self.register_buffer("last", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.centre = 0.9 * self.centre + 0.1 * x.detach().mean(0)
            self.last = self.centre.clone()
        return self.network(x - self.centre).square().flatten()


class Slashed(nn.Module):
    """An energy whose part has a slash and a tilde in its name."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"a/b~1": drawn(nn.Linear(2, 1))})

    def forward(self, x: Tensor) -> Tensor:
        return self.parts["a/b~1"](x).square().flatten()


@pytest.mark.parametrize("make", [Fading, Slashed])
def test_buffers_and_modules_of_all_names_resume(make: Callable[[], nn.Module], tmp_path: Path) -> None:
    trained(make(), 10, checkpoint=tmp_path / "fit")
    resumed, whole = trained(make(), 20, checkpoint=tmp_path / "fit"), trained(make(), 20)
    assert torch.equal(resumed.loss, whole.loss)
    for found, expected in zip(resumed.averaged.buffers(), whole.averaged.buffers(), strict=True):
        assert torch.equal(found, expected)


class Extra(Slashed):
    def __init__(self, extra: Any) -> None:
        super().__init__()
        self.extra = extra

    def get_extra_state(self) -> Any:
        return self.extra

    def set_extra_state(self, state: Any) -> None:
        self.extra = state


@pytest.mark.parametrize("extra", [{"n": {1, 2}}, {"n": (1, 2)}, {1: 2.0}, np.float64(1.0), [X]])
def test_a_state_that_cannot_be_stored_is_named_before_the_first_step(
    extra: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(EnergyDiscrepancy, "loss")
    with pytest.raises(ValueError, match=r"^checkpoint: energy.state._extra_state.* cannot be stored; expec"):
        trained(Extra(extra), checkpoint=tmp_path / "fit")
    assert not [*tmp_path.iterdir()]


def test_an_extra_state_is_stored(tmp_path: Path) -> None:
    extra = {"a": [1, {"b": None}], "c": {"d/e": torch.ones(2)}}
    trained(Extra(extra), checkpoint=tmp_path / "fit")
    saved = load_checkpoint(tmp_path / "fit")
    assert saved is not None
    stored = saved["energy"]["state"]["_extra_state"]
    assert stored["a"] == extra["a"] and torch.equal(stored["c"]["d/e"], torch.ones(2))
    assert len(trained(Extra(extra), 2, checkpoint=tmp_path / "fit").loss) == 2


class Slots:
    """An objective without room for a note."""

    __slots__ = ()
    labelled, remedy = False, "another one"

    def loss(self, energy: Any, batch: Any, generator: torch.Generator) -> Tensor:
        return energy(batch).square().mean()

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, saved: dict[str, Any]) -> None:
        pass


def test_an_objective_with_slots_is_used_with_a_checkpoint(tmp_path: Path) -> None:
    for steps in (1, 2):
        assert len(trained(mlp(), steps, Slots(), checkpoint=tmp_path / "fit").loss) == steps


class Counting(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        self.factor += 0.1
        return super().forward(x)


CALLS = 0


class CountingAll(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        global CALLS
        CALLS += 1
        return super().forward(x)


def recorded() -> nn.Module:
    """An energy with a hook that records."""
    energy, record = mlp(), []
    energy.register_forward_hook(lambda module, given, found: record.append(float(found.detach().mean())))
    return energy


def with_cache() -> nn.Module:
    energy = Scaled()
    energy.network.register_forward_hook(lambda module, given, found: setattr(module, "last", found))
    return energy


def normed() -> nn.Module:
    torch.manual_seed(0)
    energy = mlp()
    nn.utils.spectral_norm(energy.layers[0])
    return energy


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (Counting, "energy.factor"),
        (CountingAll, "energy.class.forward.CALLS"),
        (recorded, "energy._forward_hooks.0.record"),
        (with_cache, None),
        (normed, None),
    ],
)
def test_what_changes_in_training_and_is_not_stored_is_named(
    make: Any, named: str | None, tmp_path: Path
) -> None:
    energy, file = make(), tmp_path / "fit"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(energy, checkpoint=file)
    texts = [str(of.message) for of in caught if str(of.message).startswith("checkpoint: ")]
    assert texts == [] if named is None else f"checkpoint: {named} changes in training" in texts[0]
    energy.eval()(X)
    for same in (energy, make()):  # the same call is the same fit, whatever a hook has recorded
        trained(same, checkpoint=file)


USED = {
    "of a module": ("import {0}", "{0}.act(x)"),
    "number of a module": ("import {0}", "x * {0}.SCALE"),
    "of a module under another name": ("import {0} as m", "(lambda g: g.act(x))(m)"),
    "of a module of a module": ("import {0}", "{0}.inner.act(x)"),
    "class of a module": ("import {0}", "{0}.Act()(x)"),
    "in an inner function": ("import {0} as m", "[m.act(y) for y in x]"),
    "imported by name": ("from {0} import act as g", "g(x)"),
}
MODULE = """
import types
SCALE = {0}
UNUSED = {1}
def act(x):
    return x * SCALE
class Act:
    def __call__(self, x):
        return x * {0}
inner = types.ModuleType("inner")
inner.act = act
"""


@pytest.mark.parametrize("at_the_call", [False, True])
@pytest.mark.parametrize("module", ["a_module_of_mine", "statistics"])
@pytest.mark.parametrize("name", USED)
def test_modules_of_users_count_by_what_is_used_of_them(
    name: str, module: str, at_the_call: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)

    def of(scale: float, unused: float = 1.0) -> Any:
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()
        (tmp_path / f"{module}.py").write_text(MODULE.format(scale, unused))
        source = importlib.util.spec_from_file_location(module, tmp_path / f"{module}.py")
        made = importlib.util.module_from_spec(source)
        monkeypatch.setitem(sys.modules, module, made)
        source.loader.exec_module(made)
        imports, value = (part.format(module) for part in USED[name])
        inside = f"    {imports}\n" if at_the_call else ""
        return identity(of=defined(f"{imports}\ndef f(x):\n{inside}    return {value}"))

    first = of(1.0)
    assert of(1.0) == of(1.0, unused=2.0) == first
    assert difference(first, of(22.0)) is not None


USER = """
import torch
class Energy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
    def forward(self, x):
        import a_module_to_come
        return self.after(a_module_to_come.act(self.weight * x))
    def after(self, x):
        return torch.exp(x).sum(1)
"""


@pytest.mark.parametrize("raising", ["", "raise SystemExit(3)"])
def test_a_fit_does_not_import_what_a_function_imports_at_its_call(
    raising: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_module_to_come.py").write_text(
        f"{raising}\nimport torch\ndef act(x):\n    return torch.abs(x)\n"
    )
    make = defined(f"{USER}\ndef f():\n    return Energy()", __name__="mine")
    before = identity(of=make())
    assert "a_module_to_come" not in sys.modules
    if not raising:
        importlib.import_module("a_module_to_come")
        after = identity(of=make())
        del sys.modules["a_module_to_come"]
        assert before != after
        assert difference(before, after) is None and difference(after, before) is None
        assert changed(before, after) == []


def test_a_long_function_may_import_a_module() -> None:
    lines = "".join(f"    a{k} = x.b{k}\n" for k in range(300))  # bytecode with arguments above 255
    assert "of" in identity(of=defined(f"def f(x):\n{lines}    import statistics\n    return x"))


@pytest.mark.parametrize("module", ["profile", "code", "statistics", "a_users_module"])
def test_files_with_names_of_the_standard_library_are_those_of_the_user(module: str) -> None:
    first, second = (defined(f"def f(x):\n    return x * {k}", __name__=module) for k in (2, 3))
    assert identity(of=first) != identity(of=second)
    a, b = (defined(f"class f:\n    def g(x):\n        return x * {k}", __name__=module) for k in (2, 3))
    assert identity(of=a) != identity(of=b)


def test_functions_of_libraries_count_by_name_and_what_they_wrap_by_code() -> None:
    assert identity(of=statistics.mean)["of"] == "statistics.mean"
    assert identity(of=functional.silu)["of"] == "torch.nn.functional.silu"
    first, second = (
        defined(f"@torch.no_grad()\ndef f(x):\n    return x * {k}", __name__="mine") for k in (2, 3)
    )
    assert identity(of=first) != identity(of=second)
