"""The model card: what the model is for, how it scored, what is known to be wrong with it."""

from typing import Any

from tasks.reporting.labels import in_sentence, model_name, signed, text
from tasks.reporting.verdict import Block, blocks, clear
from tasks.runtime.params import DomainParams
from tasks.tilts.model import TiltedModel


def model_card(
    domain: Any,
    params: DomainParams,
    model: TiltedModel,
    rows: int,
    scores: dict[str, Any],
    provenance: dict[str, Any],
    audits: dict[str, dict[str, Any]],
    hashes: dict[str, str],
) -> str:
    """One page in Markdown: use, data, audit, scores, calibration, limits, cost, provenance."""
    found = blocks(scores, domain.frequency)
    parts = [
        f"# Model card: {domain.title}",
        f"Snapshot {provenance['as_of']}. The full account is in `report.html` beside this file.",
        "## What it is for",
        domain.question,
        "Intended: probability forecasts for people who plan around uncertainty, compared with the peers "
        "below; research. "
        "Not intended: automatic trading or public warnings without a person, series other than those "
        "named here, horizons "
        "other than those scored, or dates long after the snapshot without refitting.",
        "## Model",
        about_model(domain, model, rows),
        "## Data",
        table(
            ["Source", "rows", "unit", "licence"],
            [[s["name"], f"{s['rows']:,}", s["unit"], s["licence"]] for s in provenance["sources"]],
        ),
        "## Audit",
        table(
            ["Check", "phase", "status", "why"],
            [
                [c["title"], phase, c["status"], c["why"]]
                for phase, audit in audits.items()
                for c in audit["checks"]
            ],
        ),
        waivers(audits),
        f"## Scores on {scores['test'][0]} to {scores['test'][1]}, not used in fitting",
        "Mean log score in nats (higher is better) / mean CRPS (lower is better).",
        score_table(found),
        "Gain in log score of the energy model ± one HAC standard error (t).",
        gain_table(found),
        by_group(audits["forecasts"]),
        "## Calibration",
        calibration(found),
        "## Where it fails",
        weaknesses(found, params),
        "## The energy landscape",
        "Maps of the learned energy, with the data on top: [`landscape/`](landscape/), and in the report.",
        "## Provenance",
        table(
            ["File", "sha256"],
            [["raw data", provenance["sha256"]]]
            + [[s["name"], s["sha256"]] for s in provenance["sources"]]
            + [list(item) for item in hashes.items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def waivers(audits: dict[str, dict[str, Any]]) -> str:
    """Failures that were accepted, with reason and end; they are not hidden in the table of checks."""
    accepted = [c for audit in audits.values() for c in audit["checks"] if "waived" in c]
    if not accepted:
        return "No failed check was waived."
    return "\n".join(
        f"- **Waived: {c['title']}** until {c['waived']['until']}: {c['waived']['reason']}" for c in accepted
    )


def by_group(audit: dict[str, Any]) -> str:
    """Gain over the best peer and its interval in each season, decade and regime."""
    check = next(c for c in audit["checks"] if c["id"] == "skill-by-group")
    if not isinstance(check["measured"], dict):
        return f"Not judged by group: {check['why']}."
    rows = [[name, str(gain)] for name, gain in check["measured"].items()]
    return table(["Group (regime as known at the origin)", "gain over the best peer, nats [interval]"], rows)


def about_model(domain: Any, model: TiltedModel, rows: int) -> str:
    config = model.config
    parameters = sum(p.numel() for p in model.energy.parameters())
    weights = ", ".join(f"{weight:.2g} at {lead}" for lead, weight in config.weights.items())
    tilt = (
        f"The energy's weight by lead, from past scores: {weights}."
        if any(config.weights.values())
        else "The energy's weight is 0: past data of this series did not pay for a tilt of its own."
    )
    if config.prior is not None:
        inherited = ", ".join(f"{weight:.2g} at {lead}" for lead, weight in config.prior.weights.items())
        tilt += f" It is fitted onto an energy learned on seven other markets, of weight {inherited}."
    return (
        f"p(y | x) = q(y | x) · exp(−w·E(y, x)) / Z(x): the classical forecast q ({domain.base}) tilted by "
        f"the mean energy of "
        f"{config.seeds} small networks. {tilt} Inputs: {len(config.columns)}. Training cost: "
        f"{parameters:,} parameters over "
        f"all networks, fitted to {rows:,} past outcomes."
    )


def table(columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; bars and line ends inside a cell are made harmless."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(str(c).replace("|", "/").split()) for c in line) + " |" for line in lines
    )


def score_table(found: list[Block]) -> str:
    rows = [
        [
            model_name(m),
            *(f"{text(b.models[m]['log_score'], 4)} / {text(b.models[m]['crps'], 4)}" for b in found),
        ]
        for m in found[0].models
    ]
    return table(["Model", *(b.label for b in found)], rows)


def gain_table(found: list[Block]) -> str:
    rows = []
    for peer in found[0].paired:
        cells = []
        for b in found:
            d = b.paired[peer]
            cells.append(f"{signed(d['log_score_gain'])} ± {text(d['se'], 3)} ({text(d['t'], 1)})")
        rows.append([f"over {in_sentence(peer)}", *cells])
    return table(["", *(b.label for b in found)], rows)


def calibration(found: list[Block]) -> str:
    """Coverage of the 50 and 90 % intervals and the share of value-at-risk hits, the energy model only."""
    rows = []
    for b in found:
        ours = b.models["ebm"]
        row = [b.label, *(f"{100 * ours['coverage'][k]:.1f} %" for k in ("0.5", "0.9"))]
        if "var" in ours:
            row.append(", ".join(f"{v['hits'] / b.n:.1%} at {float(k):.1%}" for k, v in ours["var"].items()))
        rows.append(row)
    columns = ["", "inside 50 %", "inside 90 %"] + (
        ["losses beyond the value at risk"] if len(rows[0]) > 3 else []
    )
    return table(columns, rows)


def weaknesses(found: list[Block], params: DomainParams) -> str:
    """What the figures say against the model, in a list."""
    points = []
    for b in found:
        for peer, d in b.paired.items():
            if clear(d) == "worse":
                points.append(
                    f"{b.label}: worse than {in_sentence(peer)} by {text(-d['log_score_gain'], 3)} nats."
                )
        crps = {m: score["crps"] for m, score in b.models.items()}
        best = min(crps, key=crps.__getitem__)
        if best != "ebm":
            points.append(f"{b.label}: {in_sentence(best)} has the lowest CRPS.")
        if clear(b.paired["base"]) != "better":
            points.append(
                f"{b.label}: no clear gain over its own base, so the energy adds nothing that is certain."
            )
    points.append(
        "Rare states have few examples; far from the training data the energy is held constant (inputs are "
        "clipped)."
    )
    points.append(
        f"Scored up to {params.split.test_to} only: a new regime after that is not covered by these figures."
    )
    return "\n".join(f"- {p}" for p in points)
