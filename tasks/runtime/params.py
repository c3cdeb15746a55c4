"""Typed models of ``params.yaml``. An unknown key, a wrong type or a missing value is an error."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.runtime.errors import BasinError, expected
from tasks.runtime.files import atomic_write, read_yaml

FORECASTERS = Path(__file__).parents[1] / "forecasters"


class Strict(BaseModel):
    """Base class of models that reject unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def wrong_content(
    where: Path | str, error: ValidationError, *above: str, tags: tuple[str, ...] = ()
) -> BasinError:
    """Return the first fault that pydantic found in a file as an error of one line.

    ``above`` are the keys above the content that was checked, and ``tags`` the names of the members of a
    union, which pydantic puts before the keys.
    """
    # A misspelt key gives two errors, unknown and missing. The unknown name is reported.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"]]
    if keys and keys[0] in tags:
        del keys[0]
    key = ".".join([*above, *keys])
    if first["type"] == "extra_forbidden":
        return BasinError(f"{where}: unknown key `{key}`; remove it or correct its name")
    if first["type"] == "missing":
        return BasinError(f"{where}: no key `{key}`; add it")
    said = first["msg"].removeprefix("Value error, ")
    if said.startswith("Input should be "):
        said = "expected " + said.removeprefix("Input should be ").split(", unable")[0]
    found = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
    return BasinError(f"{where}: `{key}`{found}: {said}")


class IngestParams(Strict):
    """Parameters of the stage `ingest`."""

    as_of: date = Field(description="snapshot date; rows published after it are dropped")


class Waiver(Strict):
    """A failed check that is accepted until a date. Reports show the failure with the reason."""

    check: str = Field(description="identifier of the check in audit.json or audit_forecasts.json")
    reason: str = Field(
        min_length=10, description="reason why the failure is accepted, which the reports show"
    )
    until: date = Field(description="last snapshot date (ingest.as_of) for which the waiver holds")


class AuditParams(Strict):
    """Parameters of the stage `audit`: limits of its checks, and accepted failures."""

    look_ahead_cuts: int = Field(
        ge=1,
        description="number of dates at which features are recomputed without later data, to find look-ahead",
    )
    max_missing: float = Field(
        ge=0, le=1, description="largest accepted share of missing values in a year of a series"
    )
    max_gap: int = Field(
        ge=1,
        description="largest accepted gap between two rows, or between the last row and the snapshot, in "
        "trading days or months",
    )
    min_regime_share: float = Field(
        ge=0,
        le=1,
        description="smallest accepted share of test rows in each regime, such as calm or turbulent",
    )
    min_episodes: int = Field(
        ge=1, description="smallest accepted number of separate episodes of each regime in the test block"
    )
    waive: tuple[Waiver, ...] = Field(
        (),
        description="list of failed checks that are accepted until a date, each with a reason",
    )


class FeatureParams(Strict):
    """Parameters of the stage `features`."""

    refit: int = Field(ge=1, description="number of rows between refits of the classical models")
    min_rows: int = Field(ge=24, description="number of rows before the first fit of the classical models")


class SplitParams(Strict):
    """Dates of the walk-forward and of the test block, used by the stages from `audit` on."""

    walk_from: date = Field(
        description="first day of the walk-forward, whose folds are years from this day; scores from here to "
        "test_from choose the tilt's capacity and weight"
    )
    test_from: date = Field(description="first target date of the test block")
    test_to: date = Field(description="last target date of the test block")

    @model_validator(mode="after")
    def _in_order(self) -> "SplitParams":
        if not self.walk_from <= self.test_from <= self.test_to:
            raise ValueError(
                f"expected walk_from <= test_from <= test_to, found {self.walk_from}, {self.test_from}, "
                f"{self.test_to}"
            )
        return self


class TrainParams(Strict):
    """Parameters of the stage `train`."""

    seeds: int = Field(ge=1, description="number of networks whose energies are averaged")
    capacities: tuple[int, ...] = Field(
        min_length=1,
        description="numbers of hidden units of the energy network to try, from small to large; 0 is linear",
    )
    features: int = Field(ge=1, description="number of learned features of the outcome in the energy")
    learning_rate: float = Field(
        gt=0, description="initial learning rate of AdamW, decayed to zero along a cosine"
    )
    weight_decay: float = Field(ge=0, description="weight decay coefficient of AdamW")
    max_steps: int = Field(ge=1, description="number of optimiser steps in the first fold")
    warm_steps: int = Field(
        ge=1,
        description="number of optimiser steps in each later fold, which starts from the fold before",
    )
    validation_share: float = Field(
        gt=0, lt=1, description="share of the training rows, the latest ones, held out for early stopping"
    )
    seed: int = Field(ge=0, description="random seed of initial weights and mini-batches")


class ForecastParams(Strict):
    """Parameters of the stage `forecast`."""

    events: tuple[Annotated[str, Field(pattern=r"^(<=|>=) -?\d+(\.\d+)?$")], ...] = Field(
        min_length=1,
        description="events whose probability is forecast, as thresholds in the unit of the target, "
        "e.g. `<= -2`",
    )


class DomainParams(Strict):
    """Section of one domain in ``params.yaml``."""

    ingest: IngestParams
    audit: AuditParams
    features: FeatureParams
    split: SplitParams
    train: TrainParams
    forecast: ForecastParams


def load_domains(root: Path) -> list[str]:
    """Return the names of ``domains`` in ``root/params.yaml``; raises ``BasinError`` like `load_params`."""
    return list(_read(root)["domains"])


def load_params(root: Path, domain: str) -> DomainParams:
    """Read the section of ``domain`` in ``root/params.yaml``.

    Raises ``BasinError`` that names the file, the key, what was found and what was expected.
    """
    path = root / "params.yaml"
    content = _read(root)
    listed = content["domains"]
    if domain not in listed:
        raise BasinError(f"{path}: `domains` does not list `{domain}`; {expected(domain, listed)}")
    if domain not in content:
        raise BasinError(f"{path}: `domains` lists `{domain}`, but there is no section `{domain}`; add one")
    try:
        params = DomainParams.model_validate(content[domain])
    except ValidationError as error:
        raise wrong_content(path, error, domain) from error
    return params


def set_as_of(root: Path, domains: list[str], as_of: date) -> None:
    """Set ``ingest.as_of`` of ``domains`` in ``root/params.yaml``, leaving the rest unchanged to the byte.

    Raises ``BasinError`` like :func:`load_params`, and if a section has no ``as_of`` in quotes.
    """
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8")
    for domain in domains:
        load_params(root, domain)
        section = re.compile(rf"(^{re.escape(domain)}:.*?\bas_of: *)([\"'])\d{{4}}-\d\d-\d\d\2", re.M | re.S)
        text, count = section.subn(rf'\g<1>"{as_of}"', text, count=1)
        if not count:
            raise BasinError(f'{path}: section `{domain}` has no `as_of: "YYYY-MM-DD"` in quotes; add it')
    with atomic_write(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8")


def _read(root: Path) -> dict[str, Any]:
    path = root / "params.yaml"
    content: dict[str, Any] = read_yaml(path, "run inside a Basin project or pass --root")
    listed = content.get("domains") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed or {type(kind) for kind in listed.values()} != {str}:
        raise BasinError(
            f"{path}: expected a mapping with `domains` and one section per domain, where `domains` maps "
            "each domain to the folder of its forecasters, as in `domains: {finance: returns}`"
        )
    folders = sorted(folder.name for folder in FORECASTERS.iterdir() if (folder / "__init__.py").is_file())
    for name, kind in listed.items():
        if kind not in folders:
            raise BasinError(
                f"{path}: `domains.{name}` = {kind!r}: unknown folder of forecasters; "
                f"{expected(kind, folders)}"
            )
    # A domain that was removed from `domains` may keep its section.
    sections = {name for name, section in content.items() if _is_section(section)}
    unknown = sorted(map(str, set(content) - set(listed) - sections - {"domains"}))
    if unknown:
        raise BasinError(
            f"{path}: unknown key `{unknown[0]}`; expected `domains` and sections of domains (here "
            f"{', '.join(listed)}) with the keys {', '.join(DomainParams.model_fields)}"
        )
    _refuse_dates(path, content, ())
    return content


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) and not set(DomainParams.model_fields).isdisjoint(value)


def _refuse_dates(path: Path, value: Any, keys: tuple[str, ...]) -> None:
    """Raise ``BasinError`` for a date without quotes, because DVC cannot read YAML dates in this file."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_dates(path, inner, (*keys, str(key)))
    elif isinstance(value, date):
        raise BasinError(f'{path}: `{".".join(keys)}`: write the date in quotes, "{value}"')
