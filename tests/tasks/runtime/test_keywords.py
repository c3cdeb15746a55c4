"""Messages in Python: options of the command line become keywords, with values as in Python."""

import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.keywords import in_python, with_keywords

REMEDIES = {
    "pass --on-bad-row interpolate to fill such rows": 'pass on_bad_row="interpolate" to fill such rows',
    "pass --test-from 2015-01-01": 'pass test_from="2015-01-01"',
    "pass --resample W-FRI without --freq": 'pass resample="W-FRI" without freq=',
    "pass --resample MS for one row for each month": 'pass resample="MS" for one row for each month',
    "pass --target with one, or --targets all for all": 'pass target= with one, or targets="all" for all',
    "pass --series member to forecast each": 'pass series="member" to forecast each',
    "pass --kind rate if so": 'pass kind="rate" if so',
    "pass --exog VIX 'my rate', or omit --model": 'pass exog=["VIX", "my rate"], or omit model=',
    "pass --exog 'oil or gas', or omit --model": 'pass exog="oil or gas", or omit model=',
    "pass --leads 6 or a --horizon that has it": "pass leads=[6] or a horizon= that has it",
    "--events 'min<=-2': expected a threshold": 'events="min<=-2": expected a threshold',
    "--calendar 'New York': no such exchange": 'calendar="New York": no such exchange',
    "--kind '': expected one of price": 'kind="": expected one of price',
    "--freq 5min: expected one of D": 'freq="5min": expected one of D',
    "--model 'it'\"'\"'s/m': no config.json": 'model="it\'s/m": no config.json',
    "pass --series 'my place' to forecast each": 'pass series="my place" to forecast each',
    "--accept 'gaps=a, b': expected a reason": 'accept={"gaps": "a, b"}: expected a reason',
    "--max-false-alarms-per-year nan: expected 0": "max_false_alarms_per_year=nan: expected 0",
    "--seeds 0: expected 1 or more": "seeds=0: expected 1 or more",
    "--peers foo: for this file": 'peers="foo": for this file',
    "x: --model m was fitted to rates": 'x: model="m" was fitted to rates',
    "--model is for prices": "model= is for prices",
    '--strict: a gap; accept it with --accept gaps="reason", or omit --strict': (
        'strict=True: a gap; accept it with accept={"gaps": "reason"}, or omit strict='
    ),
    "or add --overwrite to replace it": "or add overwrite=True to replace it",
    "`basin validate --propose FILE`": "`basin validate --propose FILE`",
    "the file a--b.csv": "the file a--b.csv",
    "data/a --time.csv: no such file": "data/a --time.csv: no such file",
    "column '--seeds' is absent": "column '--seeds' is absent",
    "pass --kind prices or --other": "pass kind= prices or --other",
    "--exog it's x: a name": "exog= it's x: a name",
}


@pytest.mark.parametrize(("message", "expected"), REMEDIES.items())
def test_a_remedy_is_written_as_in_python(message: str, expected: str) -> None:
    assert with_keywords(message) == expected


def test_the_cause_of_an_error_is_kept() -> None:
    with pytest.raises(BasinError, match=r"^give it as time=$") as caught, in_python():
        try:
            {}["x"]
        except KeyError as error:
            raise BasinError("give it as --time") from error
    assert isinstance(caught.value.__cause__, KeyError)
