"""`basin models show`: scores of a version in words, also where some could not be computed."""

from typing import Any

import pytest

from flows.cli.models import _about

OURS = {"log_score": -1.5, "crps": 0.61234}
BASE = {"log_score_gain": 0.01, "t": 2.04}


@pytest.mark.parametrize(
    ("ours", "base", "words"),
    [
        (OURS, BASE, "log score -1.5000, CRPS 0.6123, gain in log score over the base +0.0100 (t = 2.0)"),
        (OURS, BASE | {"t": None}, "log score -1.5000, CRPS 0.6123, gain in log score over the base +0.0100"),
        (OURS | {"log_score": None}, {"log_score_gain": None, "t": None}, "CRPS 0.6123"),
        (dict.fromkeys(OURS), dict.fromkeys(BASE), "no score is known"),
    ],
)
def test_scores_that_are_null_are_left_out(ours: dict[str, Any], base: dict[str, Any], words: str) -> None:
    leads = {"1": {"models": {"ebm": ours}, "paired": {"base": base}}}
    config = {"as_of": "2018-12-31", "data_sha256": "ab" * 32}
    for scores in ({"leads": leads}, {"pooled": {"leads": leads}}):
        lines = _about(config, scores | {"test": ["2014-01-02", "2018-12-31"]})
        assert lines == [
            "  data as of 2018-12-31, sha256 abababababab",
            f"  lead 1, 2014-01-02 to 2018-12-31: {words}",
        ]
