"""Lines and tables of joint forecasts of many series."""

from typing import Any

from tasks.reporting.labels import signed, text, with_unit

LEVELS = ("0.01", "0.025", "0.05")
"""Levels of value at risk in a line."""

LISTED = 3
"""Most pairs or series that a line names."""


def joint_lines(joint: dict[str, Any], unit: str) -> list[str]:
    """Return a line for each portfolio, and lines on falls together, tail dependence, energy and stress."""
    lines = []
    for name, part in joint["portfolios"].items():
        low, high = part["interval_90"]
        inside = with_unit(f"[{signed(low, 2)}, {signed(high, 2)}]", unit)
        risks = ", ".join(
            f"VaR {100 * float(level):g} % {signed(part['var'][level], 2)}, ES {signed(part['es'][level], 2)}"
            for level in LEVELS
        )
        lines.append(
            f"portfolio {name}: mean {signed(part['mean'], 2)}, 90 % within {inside}; {risks}; "
            f"P(loss) = {_percent(part['loss'])}"
        )
    return [*lines, *_about_series(joint, unit)]


def _about_series(joint: dict[str, Any], unit: str) -> list[str]:
    together, tails, energy = joint["together"], joint["tail_dependence"], joint["energy"]
    d = max(map(int, together["at_least"]))
    short = unit.split(" (")[0]
    fall = with_unit(f"{together['fall']:g}", short)
    falls = ", ".join(f"{k} or more {_percent(chance)}" for k, chance in together["at_least"].items())
    pairs = ", ".join(
        f"{' and '.join(pair['series'])} {text(pair['value'], 2)}" for pair in tails["pairs"][:LISTED]
    )
    last, (low, high) = energy["latest"][-1], energy["band"]
    drivers = ", ".join(
        f"{name} {signed(value, 1)}" for name, value in list(energy["drivers"].items())[:LISTED]
    )
    lines = [
        f"falls of {fall} or more, of {d} series: {falls}",
        f"lower-tail dependence at {100 * tails['level']:g} %: {text(tails['mean'], 2)} in the mean of "
        f"pairs; {pairs}",
        f"energy on {last['time']}: {text(last['energy'], 1)} nats, on normal days {text(low, 1)} to "
        f"{text(high, 1)}; most from {drivers}",
    ]
    for row in joint["stress"]:
        means = {name: mean for name, mean in row["mean"].items() if name.startswith("portfolio ")}
        shown = ", ".join(f"{name} {signed(mean, 2)}" for name, mean in means.items())
        stress = with_unit(signed(row["return"], 2), short)
        lines.append(f"if {row['series']} moves by {stress}: mean of {shown}")
    return lines


def _percent(chance: float) -> str:
    return "< 0.1 %" if chance < 0.0005 else f"{100 * chance:.1f} %"


def joint_rows(joint: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the columns and rows of the joint scores of each model, with the gains of the energy model."""
    rows: list[tuple[str, ...]] = []
    for model, scores in joint["models"].items():
        gains = joint["paired"].get(model, {})
        log = gains.get("log_score", {})
        rows.append(
            (
                model,
                text(scores.get("log_score"), 3),
                signed(log.get("gain"), 3) if log else "",
                signed(log.get("t"), 1) if log else "",
                text(scores["energy_score"], 4),
                signed(gains["energy_score"]["t"], 1) if gains else "",
                text(scores["variogram_score"], 2),
                signed(gains["variogram_score"]["t"], 1) if gains else "",
                text(joint["together"][model]["brier"], 4),
            )
        )
    columns = (
        "model", "log score", "ebm gains", "t", "energy score", "t of gain", "variogram score", "t of gain",
        "Brier",
    )  # fmt: skip
    return columns, rows


def joint_title(joint: dict[str, Any]) -> str:
    return f"{len(joint['series'])} series jointly, {joint['from']} to {joint['to']}, n = {joint['n']}"
