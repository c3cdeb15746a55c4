"""Model card in Markdown: intended use, scores and known weaknesses of a model."""

from datetime import date
from typing import Any

from tasks.reporting.labels import count_of, decimals, in_sentence, model_name, signed, text
from tasks.reporting.verdict import Block, blocks, clear, in_unit, or_infinity, strongest
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
    """Return the card: use, model, data, audit, scores, calibration, weaknesses and provenance."""
    found = blocks(scores, domain.frequency)
    parts = [
        f"# Model card: {domain.title}",
        f"Data as of {provenance['as_of']}. The report is in `report.html` beside this file.",
        "## Intended use",
        domain.question,
        "The model is intended for probability forecasts that support decisions of people, and for "
        "research. It is not intended for automatic trading or for public warnings that no person has "
        "checked. It should not be used for other series or leads than those scored here, nor long after "
        "the date of the data without refitting.",
        "## Model",
        about_model(domain, model, rows),
        "## Data",
        table(
            ["Source", "rows", "unit", "licence"],
            [[s["name"], f"{s['rows']:,}", s["unit"] or "–", s["licence"]] for s in provenance["sources"]],
        ),
        "## Audit",
        table(
            ["Check", "phase", "status", "finding"],
            [
                [c["title"], phase, c["status"], c["why"]]
                for phase, audit in audits.items()
                for c in audit["checks"]
            ],
        ),
        waivers(audits),
        f"## Scores on {scores['test'][0]} to {scores['test'][1]}, not used in fitting",
        f"Mean CRPS {in_unit(domain)} (lower is better) / mean log score in nats (higher is better).",
        score_table(found),
        f"Gain of the energy model in CRPS {in_unit(domain)} / in log score in nats a forecast, each ± one "
        f"HAC standard error, and t in brackets. The strongest rival is {in_sentence(strongest(found))}, the "
        "peer with the lowest CRPS on these dates.",
        gain_table(found),
        by_group(audits["forecasts"]),
        "## Calibration",
        "Share of outcomes inside the central intervals of the energy model"
        + (
            ", and below its value at risk (VaR), which is recalibrated once enough outcomes are known."
            if "var" in found[0].models["ebm"]
            else "."
        ),
        calibration(found),
        "## Weaknesses",
        weaknesses(found, params),
        "## The energy landscape",
        "Maps of the learned energy with the test dates are in [`landscape/`](landscape/) and in the report.",
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
    """Return a list of the failed checks that were waived, with reason and end date."""
    accepted = [c for audit in audits.values() for c in audit["checks"] if "waived" in c]
    if not accepted:
        return "No failed check was waived."
    return "\n".join(
        f"- **Waived: {c['title']}**{_until(c['waived']['until'])}: {c['waived']['reason']}" for c in accepted
    )


def _until(day: str) -> str:
    return "" if day == date.max.isoformat() else f" until {day}"


def by_group(audit: dict[str, Any]) -> str:
    """Return a table of the gain over the best peer in each season, decade and regime."""
    check = next(c for c in audit["checks"] if c["id"] == "skill-by-group")
    if not isinstance(check["measured"], dict):
        return f"Gains by season, decade and regime are not stated: {check['why']}."
    rows = [[name, str(gain)] for name, gain in check["measured"].items()]
    columns = ["Group (regime at the origin)", "gain over the best peer, nats a forecast [interval]"]
    return table(columns, rows)


def about_model(domain: Any, model: TiltedModel, rows: int) -> str:
    config = model.config
    parameters = sum(p.numel() for p in model.energy.parameters())
    weights = ", ".join(f"{weight:.2g} at {lead}" for lead, weight in config.weights.items())
    tilt = (
        f"The weight w follows from past scores. By lead it is {weights}."
        if any(config.weights.values())
        else "The weight w is 0, because the energy did not improve past forecasts of these series."
    )
    if config.prior is not None:
        inherited = ", ".join(f"{weight:.2g} at {lead}" for lead, weight in config.prior.weights.items())
        tilt += (
            f" The base is also tilted by an energy learned on seven other markets, of weight {inherited}."
        )
    return (
        "The forecast density is p(y | x) = q(y | x) · exp(−w·E(y, x)) / Z(x). The base q is the classical "
        f"forecast: {domain.base}. The energy E is the mean of {count_of(config.seeds, 'small network')}. "
        f"{tilt} The networks have {count_of(len(config.columns), 'input')} and together "
        f"{count_of(parameters, 'parameter')}, fitted to {rows:,} past outcomes."
    )


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table. Vertical bars and line ends inside a cell are replaced."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(str(c).replace("|", "/").split()) for c in line) + " |" for line in lines
    )


def score_table(found: list[Block]) -> str:
    rows = [
        [
            model_name(m),
            *(
                f"{text(b.models[m]['crps'], decimals([b.models['ebm']['crps']], 4))} / "
                f"{text(b.models[m]['log_score'], 4)}"
                for b in found
            ),
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
            crps, digits = d["crps"], decimals([b.models["ebm"]["crps"]], 4)
            cells.append(
                f"{signed(crps['gain'], digits)} ± {text(crps['se'], digits)} ({text(crps['t'], 1)}) / "
                f"{signed(d['log_score_gain'])} ± {text(d['se'], 3)} ({text(d['t'], 1)})"
            )
        rows.append([f"over {in_sentence(peer)}", *cells])
    return table(["Gain", *(b.label for b in found)], rows)


def calibration(found: list[Block]) -> str:
    """Return a table of the energy model's coverage and of outcomes below its value at risk."""
    rows = []
    for b in found:
        ours = b.models["ebm"]
        row = [b.label, *(f"{100 * ours['coverage'][k]:.1f} %" for k in ("0.5", "0.9"))]
        if "var" in ours:
            row += [f"{100 * v['hits'] / b.n:.1f} %" for v in ours["var"].values()]
        rows.append(row)
    levels = [f"below the VaR at {100 * float(level):g} %" for level in found[0].models["ebm"].get("var", ())]
    return table(["Forecasts", "inside the 50 % interval", "inside the 90 % interval", *levels], rows)


def weaknesses(found: list[Block], params: DomainParams) -> str:
    """Return a list of the model's weaknesses, from the scores and in general."""
    points = []
    for b in found:
        for peer, d in b.paired.items():
            if clear(d["crps"]) == "worse":
                points.append(
                    f"{b.label}: clearly worse than {in_sentence(peer)}, whose CRPS is "
                    f"{text(-d['crps_gain_pct'], 1)} % lower."
                )
            if clear(d) == "worse":
                points.append(
                    f"{b.label}: clearly worse than {in_sentence(peer)}, by {text(-d['log_score_gain'], 3)} "
                    "nats of log score a forecast."
                )
        crps = {m: or_infinity(score["crps"]) for m, score in b.models.items()}
        best = min(crps, key=crps.__getitem__)
        if best != "ebm":
            points.append(f"{b.label}: the lowest CRPS is that of {in_sentence(best)}.")
        if "better" not in (clear(b.paired["base"]["crps"]), clear(b.paired["base"])):
            points.append(
                f"{b.label}: no clear gain over its own base, so the use of the energy is not certain."
            )
    points.append(
        "There are few examples of rare states. Beyond the range of the training data the energy is "
        "constant, because inputs are clipped."
    )
    points.append(f"The scores end with {params.split.test_to} and say nothing of later regimes.")
    return "\n".join(f"- {p}" for p in points)
