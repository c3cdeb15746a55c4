"""Differences between the inputs of a stored model and those of a file, in words."""

import shlex
from typing import Any

from tasks.reporting.labels import listed
from tasks.runtime.frequencies import frequency
from tasks.userdata.input_names import column_name

REFIT = "omit --model to fit a new one"


def mismatch(was: dict[str, Any], now: dict[str, Any]) -> str:
    """Return how the inputs of a file differ from those of a fit, and what to do, or "" if they agree.

    Both are dictionaries of ``frozen_inputs`` of a domain. Where only a new fit helps, no other remedy is
    given.
    """
    if was == now:
        return ""
    found: list[str] = []
    remedies: list[str] = []
    if was["kind"] != now["kind"]:
        found.append(f"the kind was {was['kind']} and is {now['kind']}")
        remedies.append(f"pass --kind {was['kind']} if the values are of that kind")
    if was["range"] != now["range"]:
        there = "were inputs and are not" if was["range"] else "are inputs and were not"
        found.append(f"the columns open, high and low {there}")
        remedies.append("give a file with these columns" if was["range"] else "remove these columns")
    if was["exog"] != now["exog"]:
        found += _exog(was["exog"], now["exog"])
        columns = shlex.join(map(column_name, was["exog"]))
        remedies.append(f"pass --exog {columns}" if columns else "omit --exog")
    final = [*_frequency(was, now), *_signs(was, now)]
    if final or not remedies:
        return f"{'; '.join([*found, *final]) or 'they were written by another version'}; {REFIT}"
    return f"{'; '.join(found)}; {' and '.join(remedies)}, or {REFIT}"


def _exog(was: list[str], now: list[str]) -> list[str]:
    gone = [column_name(name) for name in was if name not in now]
    new = [column_name(name) for name in now if name not in was]
    found = []
    if gone:
        found.append(f"--exog had {listed(gone)}, which the forecast has not")
    if new:
        found.append(f"--exog has {listed(new)}, which the fit had not")
    return found or [f"the order of --exog was {', '.join(map(column_name, was))}"]


def _frequency(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    if was["frequency"] == now["frequency"]:
        return []
    before, after = (f"{f} ({frequency(f).period})" for f in (was["frequency"], now["frequency"]))
    return [f"the frequency was {before} and is {after}"]


def _signs(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return which inputs are in logs in one of the two alone. Those are in logs that are always positive."""
    found = []
    for name in was["exog"]:
        if name in now["exog"] and (name in was["logged"]) != (name in now["logged"]):
            positive = "was positive in all rows and is not"
            if name in now["logged"]:
                positive = "is positive in all rows and was not"
            found.append(f"the input {column_name(name)} {positive}")
    return found
