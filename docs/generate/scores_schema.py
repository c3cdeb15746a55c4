"""Reference page of ``scores.json``, generated from its JSON schema."""

import json
from pathlib import Path
from typing import Any

INTRODUCTION = """# `scores.json`

{description} The stage `evaluate` and `basin backtest` write this file. Its JSON schema is
`docs/scores.schema.json`.

A file has `leads` if there is one series, and `series` and `pooled` if there are several. The keys of `leads`
are numbers of steps ahead. The keys of `models` and `paired` are names of models. `paired` compares the
energy-based model with each other model on the same dates. [Scores](concepts/scores.md) defines every score.
"""


def page(path: Path) -> str:
    schema = json.loads(path.read_text(encoding="utf-8"))
    lines = [INTRODUCTION.format(description=schema["description"])]
    lines += ["## The file", "", *_table(schema, "")]
    for name, definition in schema["$defs"].items():
        if "properties" in definition:
            lines += ["", f"## `{name}`", "", *_table(definition, "")]
        else:
            inner = definition["additionalProperties"]
            lines += ["", f"## `{name}`", "", "For each number of steps:", "", *_table(inner, "")]
    return "\n".join(lines) + "\n"


def _table(schema: dict[str, Any], prefix: str) -> list[str]:
    return ["| key | type | required | meaning |", "|---|---|---|---|", *_rows(schema, prefix)]


def _rows(schema: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    for name, value in schema.get("properties", {}).items():
        needed = "yes" if name in schema.get("required", ()) else ""
        meaning = value.get("description", "")
        meaning = meaning[:1].upper() + meaning[1:] + ("." if meaning else "")
        rows.append(f"| `{prefix}{name}` | {_type(value)} | {needed} | {meaning} |")
        rows += _rows(value, f"{prefix}{name}.")
        inner = value.get("additionalProperties")
        if isinstance(inner, dict) and "properties" in inner:
            rows += _rows(inner, f"{prefix}{name}.*.")
    return rows


def _type(value: dict[str, Any]) -> str:
    if reference := value.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return f"[{name}](#{name})"
    kind = value["type"]
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    if kind == "array":
        return f"list of {value['minItems']} {value['items'].get('format', value['items']['type'])}s"
    inner = value.get("additionalProperties")
    if kind == "object" and isinstance(inner, dict):
        return f"mapping to {_type(inner)}" if "properties" not in inner else "mapping"
    limits = [f"{sign} {value[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in value]
    return ", ".join([kind, *limits])
