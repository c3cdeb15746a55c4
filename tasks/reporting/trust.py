"""What was done to earn trust: the data, the checks, the landscape pictures, the provenance."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting.labels import GLOSSARY, series_name, text
from tasks.reporting.page import Cell, Pill, Row, Section, card, folded, paragraph, table

VERDICT = {"pass": "all passed", "warn": "passed with warnings", "fail": "some failed"}


def asked(domain: Any, split: Any) -> Section:
    content = paragraph(domain.question, "big") + paragraph(
        f"Unit: {domain.unit}. Everything up to {split.test_from} could be used to build and choose the "
        f"model; it is judged on the dates {split.test_from} to {split.test_to}. In between the model was "
        "refitted as time went on, always on the past only."
        + (
            " While Basin was built these dates were scored more than once: every evaluation on the "
            "test block is listed in docs/results/test-set-evaluations.md, so they are out of sample but not "
            "untouched."
            if domain.sources
            else ""
        )
    )
    return Section("asked", "Question", "What was asked", content)


def data_and_checks(
    raw: pd.DataFrame,
    provenance: dict[str, Any],
    validation: dict[str, Any],
    audits: Sequence[dict[str, Any]],
) -> Section:
    """Sources, what the validation expected, and every audit check with its status."""
    spans = raw.groupby("series", sort=False)["time"].agg(["min", "max", "size"])
    rows = [
        Row(
            series_name(str(s)),
            [Cell(f"{span['min']:%Y-%m-%d}"), Cell(f"{span['max']:%Y-%m-%d}"), Cell(f"{span['size']:,}")],
        )
        for s, span in spans.iterrows()
    ]
    content = paragraph(
        f"Snapshot of {provenance['as_of']}: {provenance['rows']:,} rows, "
        f"{validation['quarantined'] or 'none'} of them set aside for breaking an expectation (they and the "
        "reason are in data/quarantine). Sources, licences and hashes are under Provenance."
    )
    content += table("The data", ["Series", "first", "last", "rows"], rows)

    met = sum(bool(e["success"]) for e in validation["expectations"])
    total = len(validation["expectations"])
    content += "<h3>Validation</h3>" + paragraph(
        f"{met} of {total} expectations about the data are met"
        + (": values, dates and columns are what they should be." if met == total else ".")
    )
    rows = [
        Row(
            e["expectation"].removeprefix("expect_").replace("_", " "),
            [
                Cell(e["column"] or "table", css="words"),
                Pill("pass" if e["success"] else "fail"),
                Cell(str(e["failing_rows"])),
                Cell(shown(e["observed"]), ", ".join(map(str, e["dates"][:3])), "words"),
            ],
        )
        for e in validation["expectations"]
    ]
    columns = ["Expectation", "column", "status", "failing rows", "observed"]
    content += folded("Every expectation", table(f"Suite {validation['suite']}", columns, rows, (1, 2, 4)))

    content += "<h3>Audit</h3>" + paragraph(
        "The audit asks what a sceptical reader would: does any input know the future, are there holes in "
        "the data, is the "
        "record long enough in every regime, do the forecasts behave?"
    )
    for title, audit in zip(
        ("Before training: the data", "Before release: the forecasts"), audits, strict=True
    ):
        content += table_of_checks(
            f"{title}: {VERDICT.get(audit['status'], audit['status'])}", audit["checks"]
        )
    return Section("data", "Data and checks", "The data and the checks on them", content)


def table_of_checks(caption: str, checks: Sequence[dict[str, Any]]) -> str:
    """Checks of an audit with what each found."""
    rows = [
        Row(
            check["title"],
            [
                Pill(check["status"]),
                Cell(check["why"], faults(check), "words"),
                Cell(shown(check["measured"]), f"threshold {shown(check['threshold'])}", "words"),
            ],
            small=check["question"],
        )
        for check in checks
    ]
    return table(caption, ["Check", "status", "finding", "measured"], rows, (1, 2, 3))


def faults(check: dict[str, Any]) -> str:
    at_fault = check.get("at_fault") or []
    more = f" and {len(at_fault) - 4} more" if len(at_fault) > 4 else ""
    return ", ".join(shown(f) for f in at_fault[:4]) + more


def shown(value: Any) -> str:
    """A measured value of unknown kind, short."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, dict):
        return "; ".join(f"{k}: {shown(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(shown(v) for v in value)
    return str(value)


def landscape(folder: Path, figures: Sequence[dict[str, str]]) -> Section:
    content = paragraph(
        "The model sees every day as a place in an energy landscape. Low ground is ordinary; the higher an "
        "outcome lies, the more it "
        "surprises the model. Contours are closer together where the ground is nearly flat: each ring is a "
        "constant factor higher."
    )
    cards = ""
    for f in figures:
        picture = base64.b64encode((folder / f["file"]).read_bytes()).decode("ascii")
        cards += card(
            f'<figure><h3>{escape(f["title"])}</h3><div class="map" tabindex="0"><img '
            f'alt="{escape(f["title"] + ". " + f["caption"])}" src="data:image/png;base64,{picture}"></div>'
            f"<figcaption>{escape(f['caption'])}</figcaption></figure>"
        )
    return Section(
        "landscape", "Landscape", "The energy landscape", content + f'<div class="pair">{cards}</div>'
    )


def how_it_works(scores: dict[str, Any], parameters: int) -> str:
    """A few lines on the model, with what was chosen for each fold from earlier dates alone."""
    chosen = scores["chosen"]
    weights, prior = chosen["weights"], chosen["prior"]
    tilted = sum(any(by_lead.values()) for by_lead in weights.values())
    registered = f"The registered model has {parameters:,} learned numbers over all its networks."
    inherited = any(any(by_lead.values()) for by_lead in prior.values())
    learned = any(weights["final"].values())
    if not learned and not any(prior["final"].values()):
        registered = "In the last they did not: the forecast on this page is that of the base, untilted."
    content = "<h3>How the model works</h3>" + paragraph(
        "It starts from a classical forecast, its base, which has the same inputs. A small neural network "
        "gives every "
        "outcome an energy, and the forecast is the base times exp(−energy), rescaled to probability one. "
        "The "
        "network starts at zero, so at first the model is its base, and it leaves the base only where past "
        "data pay "
        f"for it. In {tilted} of {len(weights)} yearly refits they did. {registered}"
    )
    if inherited:
        content += paragraph(
            "Before it learns from this file, the forecast is tilted by an energy learned on seven other "
            "markets, each year on earlier dates alone, with the weight that it had earned there; where the "
            "file's own past speaks against that energy, it is left out."
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
    columns += [f"of the markets' energy at lead {lead}" for lead in leads if inherited]
    what = (
        "What was chosen for each refit, on earlier dates alone; weight 0 is the base alone (base: "
        f"{chosen['base']})"
    )
    return content + folded(what, table("Chosen capacity and weight", columns, rows))


def provenance_section(
    provenance: dict[str, Any], hashes: Sequence[tuple[str, str]], settings: Sequence[tuple[str, str]]
) -> Section:
    rows = [
        Row(
            series_name(s["name"]),
            [
                Cell(str(s["origin"]), f"{s['kind']}, {s['licence']}", "words"),
                Cell(f"{s['rows']:,}"),
                Cell(
                    s["unit"],
                    f"published {s['publication_lag']} days later"
                    if s["publication_lag"]
                    else "published the same day",
                    "words",
                ),
                Cell(s["sha256"][:16] + "…", css="num"),
            ],
        )
        for s in provenance["sources"]
    ]
    content = paragraph(
        "What this page was made from. The same data, settings and code give the same page byte for byte; "
        "the hashes "
        "(sha256) are how to check that."
    )
    content += table("Sources", ["Source", "origin and licence", "rows", "unit", "sha256"], rows, (1, 3))
    named = [*((f"source {s['name']}", s["sha256"]) for s in provenance["sources"]), *hashes]
    rows = [Row(name, [Cell(digest, css="words code")]) for name, digest in named]
    content += folded("Files and their sha256", table("Files", ["File", "sha256"], rows, (1,)))
    rows = [Row(key, [Cell(value, css="words")]) for key, value in settings]
    content += folded("Settings (params.yaml)", table("Settings", ["Key", "value"], rows, (1,)))
    return Section("provenance", "Provenance", "Provenance", content)


def glossary() -> Section:
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(words)}</dd>" for term, words in GLOSSARY)
    return Section(
        "glossary", "Glossary", "The terms, in plain words", f'<div class="card"><dl>{terms}</dl></div>'
    )
