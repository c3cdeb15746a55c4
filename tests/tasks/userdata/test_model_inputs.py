"""A stored model is refused for a file with other inputs, with the differences alone and what to do."""

import ast
import shlex
from pathlib import Path
from typing import Any

import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.keywords import with_keywords
from tasks.userdata.joint_paths import load_tilt
from tasks.userdata.model_inputs import mismatch

FIT: dict[str, Any] = {
    "kind": "price",
    "frequency": "B",
    "range": False,
    "exog": ["VIX", "Rate"],
    "logged": ["VIX"],
}
REFIT = "omit --model to fit a new one"
NAMES = (
    ["my rate"], ["it's"], ["oil or gas"], ["a and b"], ["x; y"], ["oil", "or", "gas"], ["VIX,", "a, or b"],
    ['5" pipe', "back\\slash"], ["--seeds"], ["007"], ["#1", "$x", "Öl"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"frequency": "W"}, f"the frequency was B (trading day) and is W (week); {REFIT}"),
        (
            {"kind": "rate"},
            f"the kind was price and is rate; pass --kind price if the values are of that kind, or {REFIT}",
        ),
        (
            {"range": True},
            f"the columns open, high and low are inputs and were not; remove these columns, or {REFIT}",
        ),
        (
            {"exog": ["VIX"]},
            f"--exog had Rate, which the forecast has not; pass --exog VIX Rate, or {REFIT}",
        ),
        (
            {"exog": ["VIX", "Rate", "Volume"], "logged": ["VIX", "Volume"]},
            f"--exog has Volume, which the fit had not; pass --exog VIX Rate, or {REFIT}",
        ),
        ({"exog": ["Rate", "VIX"]}, f"the order of --exog was VIX, Rate; pass --exog VIX Rate, or {REFIT}"),
        ({"logged": []}, f"the input VIX was positive in all rows and is not; {REFIT}"),
        (
            {"frequency": "D", "exog": [], "logged": []},
            "--exog had VIX and Rate, which the forecast has not; the frequency was B (trading day) and is D "
            f"(day); {REFIT}",
        ),
    ],
)
def test_only_the_differences_are_named_with_a_remedy_for_each(change: dict[str, Any], said: str) -> None:
    assert mismatch(FIT, FIT | change) == said


@pytest.mark.parametrize("names", NAMES)
def test_a_remedy_can_be_followed_whatever_the_names_of_the_inputs(names: list[str]) -> None:
    remedy = mismatch(FIT | {"exog": names, "logged": []}, FIT | {"exog": [], "logged": []})
    words = remedy.rpartition("; pass ")[2].removesuffix(f", or {REFIT}")
    assert shlex.split(words) == ["--exog", *names]
    call = (
        with_keywords(remedy).rpartition("; pass exog=")[2].removesuffix(", or omit model= to fit a new one")
    )
    assert ast.literal_eval(call) == (names if len(names) > 1 else names[0])


def test_an_input_that_the_fit_had_not_is_left_out() -> None:
    assert mismatch(FIT | {"exog": [], "logged": []}, FIT).endswith(f"; omit --exog, or {REFIT}")


def test_a_model_of_joint_paths_of_prices_is_refused_for_rates(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"joint": true, "kind": "price"}')
    with pytest.raises(BasinError, match="was fitted to prices, and the kind of the values is rate"):
        load_tilt(tmp_path, "rate")
