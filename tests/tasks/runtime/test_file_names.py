"""File names made from any names in the data: distinct, inside their folder and readable."""

import unicodedata
from pathlib import Path

from tasks.runtime.file_names import file_names

STRANGE = [
    "", " ", ".", "..", "...", "/", "../x", "../../x", "/etc/passwd", "EUR/USD", "EUR_USD", "EUR\\USD", "a b",
    "a_b", "a\nb", "a\0b", "C:", "*", "~", "-", ".hidden", "x.", "n" * 300, "n" * 299 + "m", "東" * 300,
    "é", unicodedata.normalize("NFD", "é"), "AAPL", "aapl", "\ud800", "state%2F", "<b>", "x/../../y",
]  # fmt: skip


def test_plain_names_are_their_own_file_names():
    plain = ["sp500", "BRK.B", "Adj-Close_2", "Zürich", "東京", "n" * 80]
    assert file_names(plain) == {name: name for name in plain}


def test_any_names_get_distinct_files_in_their_folder(tmp_path: Path):
    found = file_names(STRANGE)
    assert list(found) == STRANGE
    assert len({name.casefold() for name in found.values()}) == len(STRANGE)
    for name in found.values():
        (tmp_path / f"state-{name}-1.png").write_text(name)
        (tmp_path / name).write_text(name)
        assert ".." not in name and len(name.encode()) < 100
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 2 * len(STRANGE)


def test_escaped_names_can_still_be_read():
    found = file_names(STRANGE)
    assert found["EUR/USD"].startswith("EUR_USD~") and found["EUR_USD"] == "EUR_USD"
    assert found["a b"].startswith("a_b~") and found["../x"].startswith("__x~")
    assert found["東" * 300].startswith("東東東") and found["AAPL"].startswith("AAPL~")


def test_a_file_name_does_not_depend_on_the_other_names_unless_only_case_differs():
    assert file_names(["EUR/USD"])["EUR/USD"] == file_names(STRANGE)["EUR/USD"]
