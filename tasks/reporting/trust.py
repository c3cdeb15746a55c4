"""Report sections on the question, the data and their checks, the landscape, and the provenance."""

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting.labels import count_of, dated, labelled, series_name, text
from tasks.reporting.page import Cell, Glossary, Pill, Row, Section, card, folded, paragraph, table

LINES = 12
"""Most measured values of a check that are shown one a line."""

VERDICT = {"pass": "all passed", "warn": "passed with warnings", "fail": "some failed"}


def asked(domain: Any, split: Any) -> Section:
    first, last = (dated(str(day), domain.frequency) for day in (split.test_from, split.test_to))
    content = paragraph(domain.question, "big") + paragraph(
        f"Unit: {domain.unit}. The model was built and chosen on data before {first}. It is scored "
        f"on the test block, {first} to {last}. There it was refitted as time went on, "
        "always on earlier data alone."
        + (
            " While Basin was built, the test block was evaluated more than once. Each evaluation is listed "
            "in docs/results/test-set-evaluations.md. The scores are therefore out of sample, but not those "
            "of a block that was never looked at."
            if domain.sources
            else ""
        )
    )
    return Section("asked", "Question", "What is forecast", content)


def data_and_checks(
    raw: pd.DataFrame,
    provenance: dict[str, Any],
    validation: dict[str, Any],
    audits: Sequence[dict[str, Any]],
    domain: Any,
) -> Section:
    """Return a section with the data, the expectations of the suite, and all audit checks with status."""
    spans = raw.groupby("series", sort=False)["time"].agg(["min", "max", "size"])
    rows = [
        Row(
            series_name(str(s)),
            [
                *(Cell(dated(str(span[end]), domain.frequency)) for end in ("min", "max")),
                Cell(f"{span['size']:,}"),
            ],
        )
        for s, span in spans.iterrows()
    ]
    content = paragraph(
        f"The data were read as of {provenance['as_of']} and have {provenance['rows']:,} rows. "
        + (
            f"{validation['quarantined']} of them broke an expectation and were left out; they are in "
            "data/quarantine, with the reason. "
            if validation["quarantined"]
            else ""
        )
        + "Sources, licences and hashes are in the section Provenance."
    )
    content += table("The data", ["Series", "first date", "last date", "rows"], rows)

    met = sum(bool(e["success"]) for e in validation["expectations"])
    total = len(validation["expectations"])
    content += "<h3>Validation</h3>" + paragraph(
        f"The data meet {met} of {total} expectations about their columns, dates and values."
    )
    rows = [
        Row(
            e["expectation"].removeprefix("expect_").replace("_", " "),
            [
                Cell(e["column"] or "table", css="words code"),
                Pill("pass" if e["success"] else "fail"),
                Cell(str(e["failing_rows"])),
                Cell(shown(e["observed"]), ", ".join(map(str, e["dates"][:3])), "words code"),
            ],
        )
        for e in validation["expectations"]
    ]
    columns = ["Expectation", "column", "status", "failing rows", "observed"]
    caption = f"Expectation suite {validation['suite']}"
    content += folded("All expectations", table(caption, columns, rows, (1, 2, 4)))

    content += "<h3>Audit</h3>" + paragraph(
        "The audit checks the data for look-ahead, gaps and impossible values before a model is trained, and "
        "the forecasts for calibration and skill before the model is released."
    )
    for title, audit in zip(
        ("Checks of the data, before training", "Checks of the forecasts, before release"),
        audits,
        strict=True,
    ):
        content += table_of_checks(
            f"{title}: {VERDICT.get(audit['status'], audit['status'])}", audit["checks"]
        )
    return Section("data", "Data and checks", "The data and the checks on them", content)


def table_of_checks(caption: str, checks: Sequence[dict[str, Any]]) -> str:
    """Return a table of the checks of an audit, with status, finding and measured values."""
    rows = [
        Row(
            check["title"],
            [
                Pill(check["status"]),
                Cell(labelled(check["why"]), faults(check), "words"),
                measured(check["measured"], check["threshold"]),
            ],
            small=check["question"],
        )
        for check in checks
    ]
    return table(caption, ["Check", "status", "finding", "measured"], rows, (1, 2, 3))


def measured(value: Any, threshold: Any) -> Cell:
    """Return measured values beside their thresholds, a few of them one a line."""
    if not isinstance(value, dict):
        return Cell(shown(value), f"threshold {shown(threshold)}", "words")
    each = threshold if isinstance(threshold, dict) else {}
    lines = [
        f"{key}: {shown(v)}" + (f" (threshold {shown(each[key])})" if key in each else "")
        for key, v in value.items()
    ]
    small = "" if each else f"threshold {shown(threshold)}"
    return Cell(("\n" if len(lines) <= LINES else "; ").join(lines), small, "words")


def faults(check: dict[str, Any]) -> str:
    at_fault = [labelled(f) for f in check.get("at_fault") or []]
    more = f" and {len(at_fault) - 4} more" if len(at_fault) > 4 else ""
    return ", ".join(shown(f) for f in at_fault[:4]) + more


def shown(value: Any) -> str:
    """Return a measured value of any type as short text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, dict):
        return "; ".join(f"{k}: {shown(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(shown(v) for v in value)
    return re.sub(r"(?<![\w-])-(?=\d)", "−", str(value))


def landscape(folder: Path, figures: Sequence[dict[str, str]]) -> Section:
    content = paragraph(
        "The maps show the energy of the model. Where it is low, outcomes are likely; where it is high, they "
        "are unlikely. The levels of the contours are spaced by a constant factor, so that small differences "
        "at low energies are visible too."
    )
    cards = ""
    for f in figures:
        picture = base64.b64encode((folder / f["file"]).read_bytes()).decode("ascii")
        cards += card(
            f'<figure><h3>{escape(f["title"])}</h3><div class="map" tabindex="0" role="region" '
            f'aria-label="{escape(f["title"])}"><img '
            f'alt="{escape(f["title"] + ". " + f["caption"])}" src="data:image/png;base64,{picture}"></div>'
            f"<figcaption>{escape(f['caption'])}</figcaption></figure>"
        )
    return Section(
        "landscape", "Landscape", "The energy landscape", content + f'<div class="pair">{cards}</div>'
    )


def how_it_works(scores: dict[str, Any], parameters: int) -> str:
    """Return a section that describes the model and the choices that were made for each fold."""
    chosen = scores["chosen"]
    weights, prior = chosen["weights"], chosen["prior"]
    tilted = sum(any(by_lead.values()) for by_lead in weights.values())
    registered = f"The registered model has {parameters:,} parameters over all its networks."
    inherited = any(any(by_lead.values()) for by_lead in prior.values())
    learned = any(weights["final"].values())
    if not learned and not any(prior["final"].values()):
        registered = "It was not in the last refit, so the forecast on this page is that of the base."
    content = "<h3>How the model works</h3>" + paragraph(
        "The model starts from a classical forecast, its base, which has the same inputs. A small neural "
        "network gives every outcome an energy. The forecast is the base times exp(−energy), divided by a "
        "normaliser so that its total probability is one. The network starts at zero, so an untrained model "
        "is its base. The energy is used only as far as it improved earlier out-of-sample forecasts. It was "
        f"used in {tilted} of {len(weights)} yearly refits. {registered}"
    )
    if inherited:
        content += paragraph(
            "The base is also tilted by a second energy, which was learned on seven other markets, for "
            "each year on earlier dates alone. Its weight follows from its gains on those markets and from "
            "the past of this file. If it made past forecasts of this file worse, it is not used."
        )
    rows = [
        Row(
            fold,
            [
                Cell(str(chosen["capacity"][fold])),
                *(Cell(text(w)) for w in by_lead.values()),
                *(Cell(text(w)) for w in prior[fold].values() if inherited),
            ],
        )
        for fold, by_lead in weights.items()
    ]
    leads = next(iter(weights.values()))
    columns = ["Refit", "hidden units (0: linear)", *(f"weight at lead {lead}" for lead in leads)]
    columns += [f"weight of the seven markets' energy at lead {lead}" for lead in leads if inherited]
    caption = f"Base: {chosen['base']}. A weight of 0 leaves the base unchanged."
    return content + folded(
        "Network size and weight of the energy in each refit", table(caption, columns, rows)
    )


def provenance_section(
    provenance: dict[str, Any], hashes: Sequence[tuple[str, str]], settings: Sequence[tuple[str, str]]
) -> Section:
    rows = [
        Row(
            s["name"] if s["kind"] == "file" else series_name(s["name"]),
            [
                Cell(str(s["origin"]), f"{s['kind']}, {s['licence']}", "words"),
                Cell(f"{s['rows']:,}"),
                Cell(
                    s["unit"] or "–",
                    f"published {count_of(s['publication_lag'], 'day')} after the end of each period"
                    if s["publication_lag"]
                    else "published at the end of each period",
                    "words",
                ),
                Cell(s["sha256"][:16] + "…", css="num"),
            ],
        )
        for s in provenance["sources"]
    ]
    content = paragraph(
        "This page was made from the files listed here. The same data, settings and code give the same page, "
        "byte for byte. The sha256 hashes identify the files."
    )
    content += table("Sources", ["Source", "origin and licence", "rows", "unit", "sha256"], rows, (1, 3))
    named = [*((f"source {s['name']}", s["sha256"]) for s in provenance["sources"]), *hashes]
    rows = [Row(name, [Cell(digest, css="words code")]) for name, digest in named]
    content += folded("Hashes of all files", table("Files", ["File", "sha256"], rows, (1,)))
    rows = [Row(key, [Cell(value, css="words")]) for key, value in settings]
    content += folded("Settings", table("Settings, as in params.yaml", ["Key", "value"], rows, (1,)))
    return Section("provenance", "Provenance", "Provenance", content)


def how_read(notes: Sequence[str]) -> Section:
    """Return a section with the choices that were inferred from a user's file."""
    items = "".join(f"<li>{escape(as_sentence(note))}</li>" for note in notes)
    return Section("read", "Data", "How the file was read", f"<ul>{items}</ul>")


def as_sentence(note: str) -> str:
    """Return a note with a full stop, and with a capital initial unless it starts with an option."""
    first = note if note.startswith("--") else note[:1].upper() + note[1:]
    return f"{first}."


def glossary() -> Section:
    return Glossary("glossary", "Glossary", "Glossary", "")
