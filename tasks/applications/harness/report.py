"""HTML report of an application: scores, pictures, landscape, audit and provenance."""

from base64 import b64encode
from html import escape
from typing import Any

from tasks.applications.harness.application import Application, Picture
from tasks.reporting.labels import in_sentence, model_name, signed
from tasks.reporting.labels import text as number
from tasks.reporting.page import Cell, Row, Section, card, page, paragraph, table
from tasks.reporting.trust import table_of_checks
from tasks.runtime.errors import counted


def application_page(
    application: Application,
    own: bool,
    scores: dict[str, Any],
    pictures: list[Picture],
    validation: dict[str, Any],
    audit: dict[str, Any],
    provenance: list[dict[str, Any]],
) -> str:
    """Return the HTML of ``report.html``, which loads no other file.

    ``own`` is true if the examples are a user's own files.
    """
    title = (own and application.own_title) or application.title
    question = (own and application.own_question) or application.question
    sections = [
        Section("asked", "Question", "Question and evaluation", paragraph(question, "big")),
        Section("scores", "Scores", "Scores of the model and its peers", _scores(scores)),
        Section("seen", "Pictures", "Examples and results", "".join(_figure(p) for p in pictures)),
        Section("trust", "Trust", "Checks of the data", _trust(validation, audit)),
        Section("provenance", "Provenance", "Sources of the data", _provenance(provenance)),
    ]
    tiles = [
        (text(value), f"{scores['measures'][name]['title']} of the energy model, 95 % interval {between}")
        for name, value in list(scores["models"]["ebm"].items())[:4]
        for between in [" to ".join(map(text, scores["intervals"]["ebm"][name]))]
    ]
    return page(
        f"Basin: {title}",
        f"Basin · {title}",
        headline(title, application.reference, scores),
        " ".join(scores["notes"][:2]),
        tiles,
        sections,
    )


def headline(subject: str, reference: str, scores: dict[str, Any]) -> str:
    """Return a sentence with the first measure, its comparison with the reference peer, and better peers."""
    name, value = next(iter(scores["models"]["ebm"].items()))
    title = scores["measures"][name]["title"]
    paired = scores["paired"].get(reference, {}).get(name)
    if paired is None:
        return f"{subject}: {title} {text(value)}"
    low, high = paired["interval"]
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not clearly different from"
    theirs = {model: text(found[name]) for model, found in scores["models"].items() if name in found}
    said = f"{subject}: {title} {text(value)}, {verdict} {in_sentence(reference)}"
    said += f" ({theirs[reference]})"
    ahead = {
        peer: of[name]["interval"][1] < 0
        for peer, of in scores["paired"].items()
        if name in of and of[name]["gain"] < 0 and peer != reference
    }
    if ahead:
        names = ", ".join(
            f"{in_sentence(peer)} ({theirs[peer]}{', significantly' if clear else ''})"
            for peer, clear in ahead.items()
        )
        said += f"; better: {names}"
    return said


def text(value: float) -> str:
    return number(value, 3) if abs(value) < 100 else number(value, 0)


def _scores(scores: dict[str, Any]) -> str:
    """Return tables of scores with intervals, of gains over each peer, and of scores by group."""
    measures = scores["measures"]
    titles = [f"{m['title']} {'↑' if m['better'] == 'higher' else '↓'}" for m in measures.values()]
    best = {
        name: (max if m["better"] == "higher" else min)(
            found[name] for found in scores["models"].values() if name in found
        )
        for name, m in measures.items()
    }
    rows, gains = [], []
    for model, found in scores["models"].items():
        cells, paired = [], []
        for name in measures:
            if name not in found:
                cells.append(Cell("–"))
                paired.append(Cell("–"))
                continue
            low, high = scores["intervals"][model][name]
            css = "num best" if found[name] == best[name] else "num"
            cells.append(Cell(text(found[name]), f"{text(low)} to {text(high)}", css))
            gain = scores["paired"].get(model, {}).get(name)
            span = f"{signed(gain['interval'][0])} to {signed(gain['interval'][1])}" if gain else ""
            paired.append(Cell(signed(gain["gain"]) if gain else "–", span))
        rows.append(Row(model_name(model), cells, "model " + ("ebm" if model == "ebm" else "peer")))
        if model != "ebm":
            gains.append(Row(model_name(model), paired, "model peer"))
    seeds = f"mean over {counted(scores['seeds'], 'seed')} with 95 % interval"
    content = table(f"The test part, {seeds}", ["Model", *titles], rows)
    plain = [m["title"] for m in measures.values()]
    content += table("Gain of the energy model over each peer (positive is better)", ["Peer", *plain], gains)
    if len(scores["groups"]) > 1:
        first = next(iter(measures))
        models = list(scores["models"])
        groups = [
            Row(group, [Cell(text(of[m][first]) if first in of.get(m, {}) else "–") for m in models])
            for group, of in scores["groups"].items()
        ]
        content += table(
            f"{measures[first]['title']} of each part", ["Part", *map(model_name, models)], groups
        )
    return content + "".join(paragraph(note) for note in scores["notes"])


def _figure(picture: Picture) -> str:
    image = b64encode(picture.png).decode()
    return card(
        f'<figure><h3>{escape(picture.title)}</h3><img src="data:image/png;base64,{image}" '
        f'alt="{escape(picture.title)}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )


def _trust(validation: dict[str, Any], audit: dict[str, Any]) -> str:
    found = validation["expectations"]
    applied = [check for check in audit["checks"] if check["status"] != "not applicable"]
    left = "; ".join(c["title"] for c in audit["checks"] if c["status"] == "not applicable") or "none"
    words = f"The table of examples meets {len(found)} of {len(found)} expectations of its suite."
    return (
        paragraph(words)
        + table_of_checks(f"Audit: {audit['status']}", applied)
        + paragraph(f"Checks that do not apply: {left}.", "soft")
    )


def _provenance(provenance: list[dict[str, Any]]) -> str:
    rows = [
        Row(
            source["name"],
            [
                Cell(source["origin"], css="words"),
                Cell(source["licence"], css="words"),
                Cell(source["sha256"] or "data of the installed package", css="words code"),
            ],
        )
        for source in provenance
    ]
    return table("Sources", ["Source", "Origin", "Licence", "sha256"], rows, words=(1, 2, 3))
