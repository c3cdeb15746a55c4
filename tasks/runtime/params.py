"""``params.yaml`` as typed models: an unknown key, a wrong type or a missing value is an error."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_yaml

FORECASTERS = Path(__file__).parents[1] / "forecasters"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IngestParams(Strict):
    as_of: date = Field(description="snapshot date: rows published after it are dropped")


class Waiver(Strict):
    """A failed check that is known and accepted until a day; it is shown with its reason."""

    check: str
    reason: str = Field(min_length=10)
    until: date


class AuditParams(Strict):
    look_ahead_cuts: int = Field(ge=1, description="dates at which features are recomputed on cut data")
    max_missing: float = Field(ge=0, le=1, description="largest share of missing values a series-year")
    max_gap: int = Field(ge=1, description="longest run of missing periods (trading days, months)")
    min_regime_share: float = Field(
        ge=0, le=1, description="smallest share of rows an evaluated regime may have"
    )
    min_episodes: int = Field(ge=1, description="fewest independent episodes of each regime")
    waive: tuple[Waiver, ...] = Field((), description="failures accepted, with reason, up to a snapshot date")


class FeatureParams(Strict):
    refit: int = Field(ge=1, description="rows between refits of the classical models")
    min_rows: int = Field(ge=24, description="rows before the first classical fit")


class SplitParams(Strict):
    walk_from: date = Field(description="first walk-forward fold; scores before test_from choose the weights")
    test_from: date = Field(description="first target date of the test block")
    test_to: date = Field(description="last target date of the test block")

    @model_validator(mode="after")
    def _in_order(self) -> "SplitParams":
        if (self.walk_from.month, self.walk_from.day) != (1, 1):
            raise ValueError(f"walk_from = {self.walk_from} must be a 1 January: folds are calendar years")
        if not self.walk_from < self.test_from <= self.test_to:
            raise ValueError(
                f"expected walk_from < test_from <= test_to, found {self.walk_from}, {self.test_from}, "
                f"{self.test_to}"
            )
        return self


class TrainParams(Strict):
    seeds: int = Field(ge=1, description="networks trained as one batch, averaged in energy")
    capacities: tuple[int, ...] = Field(
        min_length=1, description="hidden widths of a(x), lean to large; 0 is linear in the inputs"
    )
    features: int = Field(ge=1, description="learned features phi(y) in the bilinear energy")
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    max_steps: int = Field(ge=1, description="optimiser steps of the first fold")
    warm_steps: int = Field(ge=1, description="optimiser steps of each later, warm-started fold")
    validation_share: float = Field(
        gt=0, lt=1, description="latest share of the training rows held out for stopping"
    )
    seed: int = Field(ge=0)


class ForecastParams(Strict):
    events: tuple[Annotated[str, Field(pattern=r"^(<=|>=) -?\d+(\.\d+)?$")], ...] = Field(
        min_length=1, description="events whose probability is stated, in the domain's unit, e.g. `<= -2`"
    )


class DomainParams(Strict):
    ingest: IngestParams
    audit: AuditParams
    features: FeatureParams
    split: SplitParams
    train: TrainParams
    forecast: ForecastParams


def load_domains(root: Path) -> list[str]:
    """The names of ``domains`` in ``root/params.yaml``; raises ``BasinError`` like `load_params`."""
    return list(_read(root)["domains"])


def load_params(root: Path, domain: str) -> DomainParams:
    """Read the section of ``domain`` in ``root/params.yaml``.

    Raises ``BasinError`` in one line naming file, key, what was found and what is known.
    """
    path = root / "params.yaml"
    content = _read(root)
    listed = content["domains"]
    if domain not in listed:
        raise BasinError(f"{path}: `domains` does not list `{domain}`; it lists {', '.join(listed)}")
    if domain not in content:
        raise BasinError(f"{path}: `domains` lists `{domain}`, but there is no section `{domain}`; add one")
    try:
        params = DomainParams.model_validate(content[domain])
    except ValidationError as error:
        # A misspelt key is both unknown and missing: its name is the better clue.
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        key = ".".join([domain, *map(str, first["loc"])])
        if first["type"] == "extra_forbidden":
            raise BasinError(f"{path}: unknown key `{key}`; remove it or correct its name") from error
        found = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
        raise BasinError(f"{path}: `{key}`{found}: {first['msg']}") from error
    return params


def set_as_of(root: Path, domains: list[str], as_of: date) -> None:
    """Write ``ingest.as_of`` of ``domains`` into ``root/params.yaml``; all else stays, byte for byte.

    Raises ``BasinError`` like :func:`load_params`, and where a section has no ``as_of`` in quotes.
    """
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8")
    for domain in domains:
        load_params(root, domain)
        section = re.compile(rf"(^{re.escape(domain)}:.*?\bas_of: *)([\"'])\d{{4}}-\d\d-\d\d\2", re.M | re.S)
        text, count = section.subn(rf'\g<1>"{as_of}"', text, count=1)
        if not count:
            raise BasinError(f'{path}: no `as_of: "YYYY-MM-DD"` in the section `{domain}`; write it so')
    with atomic_write(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8")


def _read(root: Path) -> dict[str, Any]:
    path = root / "params.yaml"
    content: dict[str, Any] = read_yaml(path, "run inside a Basin project or pass --root")
    listed = content.get("domains") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed or {type(kind) for kind in listed.values()} != {str}:
        raise BasinError(
            f"{path}: expected a mapping with `domains` and one section a domain; `domains` names each "
            "with the folder of its forecasters, as in `domains: {finance: returns, climate: levels}`"
        )
    folders = sorted(folder.name for folder in FORECASTERS.iterdir() if (folder / "__init__.py").is_file())
    for name, kind in listed.items():
        if kind not in folders:
            raise BasinError(
                f"{path}: `domains.{name}` = {kind!r}: no folder of forecasters; known: {', '.join(folders)}"
            )
    # A domain that is taken out of the list may keep its section.
    sections = {name for name, section in content.items() if _is_section(section)}
    unknown = sorted(map(str, set(content) - set(listed) - sections - {"domains"}))
    if unknown:
        raise BasinError(
            f"{path}: unknown key `{unknown[0]}`; expected `domains`, a section of {', '.join(listed)}, or a "
            f"section of a domain that is not listed, with the keys {', '.join(DomainParams.model_fields)}"
        )
    _refuse_dates(path, content, ())
    return content


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) and not set(DomainParams.model_fields).isdisjoint(value)


def _refuse_dates(path: Path, value: Any, keys: tuple[str, ...]) -> None:
    """DVC reads the same file and takes no YAML dates, only quoted ones."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_dates(path, inner, (*keys, str(key)))
    elif isinstance(value, date):
        raise BasinError(f'{path}: `{".".join(keys)}`: write the date in quotes, "{value}"')
