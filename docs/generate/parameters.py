"""The reference of ``params.yaml``, from its pydantic models."""

import types
import typing
from pathlib import Path
from typing import Any

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tasks.runtime.params import DomainParams

INTRODUCTION = """# `params.yaml`

Every choice of the pipeline is in [params.yaml](../../params.yaml), in one section for each domain. A change
reruns the stages that depend on it. An unknown key, a value of the wrong type and a missing value are errors
that name the file and the key. Dates are in quotes, because DVC reads the same file and takes no YAML dates.
[Experiments](../../docs/guides/experiments.md) shows how to try other values.

The key `domains` maps each domain to the folder of its forecasters below `tasks/forecasters`:

```yaml
{domains}
```

The sections of a domain follow. The columns on the right are the values of the project's own domains.
"""

LIMITS = {annotated_types.Ge: "≥", annotated_types.Gt: ">", annotated_types.Le: "≤", annotated_types.Lt: "<"}


def page(root: Path) -> str:
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    domains = list(content["domains"])
    listed = yaml.safe_dump({"domains": content["domains"]}, default_flow_style=None, sort_keys=False).strip()
    lines = [INTRODUCTION.format(domains=listed)]
    later: dict[str, type[BaseModel]] = {}
    for name, field in DomainParams.model_fields.items():
        values = {domain: content[domain].get(name, {}) for domain in domains}
        lines += [f"## `{name}`", "", *_table(field.annotation, values, later), ""]
    for heading, model in later.items():
        introduction = [model.__doc__.strip(), ""] if model.__doc__ else []
        lines += [f"## An entry of `{heading}`", "", *introduction, *_table(model, {}, {}), ""]
    return "\n".join(lines)


def _table(model: Any, values: dict[str, dict[str, Any]], later: dict[str, type[BaseModel]]) -> list[str]:
    """A row for each field; models that occur in a list are added to ``later`` under the field's name."""
    head = ["key", "type", "meaning", "default", *values]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _value(field.default)
        given = [_value(section[name]) if name in section else "" for section in values.values()]
        meaning = (field.description or "").replace("|", "\\|")
        meaning = meaning[:1].upper() + meaning[1:] + ("." if meaning else "")
        cells = [f"`{name}`", _type(field), meaning, default, *given]
        rows.append(f"| {' | '.join(cells)} |")
        for inner in typing.get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                later[name] = inner
    return rows


def _type(field: FieldInfo) -> str:
    limits = [f"{LIMITS[type(m)]} {next(iter(_limits(m)))}" for m in field.metadata if type(m) in LIMITS]
    return ", ".join([_name(field.annotation), *limits])


def _limits(limit: Any) -> list[Any]:
    """Values of the slots of a limit of ``annotated_types``, such as the 1 of ``Ge(ge=1)``."""
    return [getattr(limit, name) for name in limit.__dataclass_fields__]


def _name(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin is tuple:
        return f"list of {_name(typing.get_args(annotation)[0])}"
    if origin is typing.Annotated:
        return _name(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_name(a) for a in typing.get_args(annotation))
    return {"int": "integer", "float": "number", "str": "text"}.get(
        annotation.__name__, annotation.__name__.lower()
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"
