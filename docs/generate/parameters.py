"""Reference page of ``params.yaml``, generated from its pydantic models."""

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

[params.yaml](../../params.yaml) has all parameters of the pipeline, with one section per domain. After a
change, the next run repeats the stages that depend on the changed parameter. Unknown keys, values of a wrong
type and missing values are errors that name the file and the key. Dates must be in quotes, because DVC reads
the same file and does not accept YAML dates.
[Experiments](../../docs/guides/experiments.md) shows how to try other values.

The key `domains` maps each domain to the folder of its forecasters in `tasks/forecasters`:

```yaml
{domains}
```

The tables below describe the sections of a domain. Their last columns show the values of the project's
domains.
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
    """Return a table with a row per field; models used in a list are added to ``later`` by field name."""
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
    """Return the values of a limit of ``annotated_types``, such as 1 for ``Ge(ge=1)``."""
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
