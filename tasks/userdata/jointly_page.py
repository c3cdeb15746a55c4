"""Report of a backtest of joint densities of a user's series."""

from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting import comparison, trust
from tasks.reporting.exceptions import tail_section
from tasks.reporting.labels import count_of, in_sentence, signed, text
from tasks.reporting.page import Section, page, paragraph
from tasks.reporting.panel import (
    energy_section,
    fan_section,
    joint_section,
    tail_dependence_section,
    years_section,
)
from tasks.reporting.verdict import blocks, clear, short_unit
from tasks.runtime.files import atomic_write
from tasks.userdata.jointly import OwnPanel

VERBS = {
    "better": "gave the returns a higher joint density than",
    "worse": "gave the returns a lower joint density than",
    "no clear difference": "was not clearly different from",
    "equal": "was equal to",
}


def write_report(
    target: Path, domain: OwnPanel, scores: dict[str, Any], forecasts: pd.DataFrame, notes: list[str]
) -> None:
    """Write ``report.html``: joint scores, gains by year, portfolios, energy, tail dependence, and notes."""
    joint = scores["joint"]
    found = blocks(scores, domain.frequency)
    ours = forecasts[forecasts["model"] == "ebm"]
    days = ours.drop_duplicates("time").set_index("time")[["energy"]]
    sections = [
        Section("question", "Question", "What is forecast", paragraph(domain.question, "big")),
        joint_section(joint),
        years_section(joint),
        fan_section(forecasts, domain),
        energy_section(days, joint, short_unit(domain)),
        tail_dependence_section(joint),
        comparison.comparison(found, scores, domain),
        comparison.calibration(found, forecasts, domain),
        tail_section(found),
        comparison.over_time(found, forecasts, domain),
        trust.how_read(notes),
        trust.glossary(),
    ]
    lead = " ".join(trust.as_sentence(note) for note in notes[-2:])
    title = f"Basin: {domain.title}"
    html = page(title, f"Basin · {domain.title}", headline(joint), lead, tiles(joint), sections)
    with atomic_write(target) as (path,):
        path.write_text(html, encoding="utf-8")


def headline(joint: dict[str, Any]) -> str:
    """Return a sentence that compares the joint density with its base and the best peer of the others."""
    peers = {name: found["log_score"] for name, found in joint["paired"].items() if "log_score" in found}
    others = [name for name in peers if name != "base"] or ["base"]
    rival = min(others, key=lambda name: peers[name]["gain"])
    gain = peers[rival]
    sentence = (
        f"On {count_of(joint['n'], 'date')} of {len(joint['series'])} series not used in fitting, the energy "
        f"model {VERBS[clear(gain)]} {in_sentence(rival)} ({signed(gain['gain'], 3)} nats a date, "
        f"t = {text(gain['t'], 1)})"
    )
    if rival == "base":
        return f"{sentence}."
    own = peers["base"]
    return f"{sentence}; its gain over its own base was {signed(own['gain'], 3)} (t = {text(own['t'], 1)})."


def tiles(joint: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the figures at the top of the page."""
    found = [
        (signed(gains["log_score"]["gain"], 3), f"nats a date over {in_sentence(peer)}")
        for peer, gains in joint["paired"].items()
        if "log_score" in gains
    ]
    together = joint["together"]
    found.append(
        (f"{together['happened']}", f"dates with a quarter of the series below −{together['fall']:g}")
    )
    return found
