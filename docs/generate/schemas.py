"""Reference pages of the JSON files that Basin writes, generated from their JSON schemas."""

import json
from pathlib import Path
from typing import Any

PAGES = {
    f"reference/{name}.md": f"docs/{name}.schema.json" for name in ("forecast", "scores", "alarm", "audit")
}
"""Pages of the site, and the schema from which each is generated."""

INTRODUCTIONS = {
    "scores": """The stage `evaluate` and `basin backtest` write this file.

A file has `leads` if there is one series, and `series` and `pooled` if there are several. The keys of `leads`
are numbers of steps ahead. The keys of `models` and `paired` are names of models. `paired` compares the
energy-based model with each other model on the same dates. [Scores](concepts/scores.md) defines every score.
""",
    "forecast": """The stage `forecast`, `basin forecast` and `basin backtest` write this file.

The keys of `series` are names of series. Numbers are in `unit`. The forecast of a price or a rate is of its
change, and `value` has the quantiles of the price or rate itself. The value at risk `var` and the expected
shortfall `es` are returns, so losses are negative. [Your own file](guides/own-files.md#results) describes the
other files of a forecast.
""",
    "alarm": """`basin alarm` writes this file. [Alarms](guides/alarms.md) explains the scores.
""",
    "audit": """The stage `audit` and `basin audit` write this file. `audit_forecasts.json` has the same form.
""",
}
"""What is said of each file below its description, by the name of its schema."""


def page(path: Path) -> str:
    schema, name = json.loads(path.read_text(encoding="utf-8")), path.name.split(".")[0]
    introduction = f"{schema['description']} {INTRODUCTIONS[name]}"
    lines = [f"# `{schema['title']}`", "", introduction, f"Its JSON schema is `docs/{path.name}`.", ""]
    lines += ["## The file", "", *_table(schema, "")]
    for part, definition in schema["$defs"].items():
        if "properties" in definition:
            lines += ["", f"## `{part}`", "", *_table(definition, "")]
        else:
            inner = definition["additionalProperties"]
            lines += ["", f"## `{part}`", "", "For each number of steps:", "", *_table(inner, "")]
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
    if choices := value.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    if "type" not in value:
        return "any"
    kind = value["type"]
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    if kind == "array":
        items = value["items"]
        of = items["format"] if "format" in items else _type(items)
        of = f"{of}s" if of.isalpha() else of
        count = f" {value['minItems']}" if value.get("maxItems") else ""
        return f"list of{count} {of}"
    inner = value.get("additionalProperties")
    if kind == "object" and isinstance(inner, dict):
        return f"mapping to {_type(inner)}" if "properties" not in inner else "mapping"
    limits = [f"{sign} {value[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in value]
    return ", ".join([kind, *limits])
