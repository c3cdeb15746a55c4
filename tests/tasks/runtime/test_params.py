"""``params.yaml``: every mistake is one line that names the key."""

from datetime import date
from pathlib import Path

import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.params import load_domains, load_params, set_as_of

GOOD = (Path(__file__).resolve().parents[3] / "params.yaml").read_text(encoding="utf-8")


def message(folder: Path, text: str, domain: str = "finance") -> str:
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BasinError) as caught:
        load_params(folder, domain)
    assert "\n" not in str(caught.value)
    assert "params.yaml" in str(caught.value)
    return str(caught.value)


def test_the_projects_own_params_load(project_root: Path) -> None:
    assert load_domains(project_root) == ["finance", "climate"]
    params = load_params(project_root, "climate")
    assert params.split.walk_from < params.split.test_from < params.split.test_to


def test_unknown_keys_are_named_at_every_depth(tmp_path: Path) -> None:
    assert "`finance.train.sedes`" in message(tmp_path, GOOD.replace("seeds: 5", "seeds: 5, sedes: 5", 1))
    misspelt = message(tmp_path, GOOD.replace("refit: 63", "refti: 63", 1))
    assert "unknown key `finance.features.refti`" in misspelt
    assert "`finanse`" in message(tmp_path, GOOD + "\nfinanse: {}\n")


def test_a_wrong_value_is_shown_with_what_was_expected(tmp_path: Path) -> None:
    found = message(tmp_path, GOOD.replace("max_missing: 0.05", "max_missing: 5", 1))
    assert "`finance.audit.max_missing` = 5" in found and "less than or equal to 1" in found
    found = message(tmp_path, GOOD.replace('as_of: "2018-12-31"', 'as_of: "2018-12-32"'))
    assert "`finance.ingest.as_of` = '2018-12-32'" in found


def test_a_split_out_of_order_is_refused(tmp_path: Path) -> None:
    found = message(tmp_path, GOOD.replace('test_to: "2018-12-31"', 'test_to: "2012-12-31"'))
    assert "`finance.split`" in found and "walk_from <= test_from <= test_to" in found


def test_a_section_of_a_domain_that_is_not_listed_is_left_alone(tmp_path: Path) -> None:
    text = GOOD.replace(", climate: levels}", "}")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert load_domains(tmp_path) == ["finance"]
    load_params(tmp_path, "finance")
    assert "`domains` does not list `climate`" in message(tmp_path, text, "climate")


def test_an_unknown_folder_of_forecasters_is_named_with_those_there_are(tmp_path: Path) -> None:
    found = message(tmp_path, GOOD.replace("finance: returns,", "finance: retruns,", 1))
    assert "`domains.finance` = 'retruns'" in found and "expected one of levels, returns" in found


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    assert "`finance.features.refit`" in message(tmp_path, GOOD.replace("refit: 63, ", "", 1))


def test_dates_must_be_quoted_because_dvc_reads_the_same_file(tmp_path: Path) -> None:
    found = message(tmp_path, GOOD.replace('as_of: "2018-12-31"', "as_of: 2018-12-31"))
    assert "finance.ingest.as_of" in found and '"2018-12-31"' in found


def test_a_file_without_valid_parameters_is_refused(tmp_path: Path) -> None:
    assert "not valid YAML" in message(tmp_path, "finance: [")
    assert "expected a mapping" in message(tmp_path, "- finance\n")
    assert "`domains: {finance: returns}`" in message(tmp_path, "domains: [finance]\n")
    found = message(tmp_path, GOOD, "speech")
    assert "`domains` does not list `speech`; expected one of finance, climate" in found
    with pytest.raises(BasinError, match="missing"):
        load_params(tmp_path / "elsewhere", "finance")


def test_set_as_of_changes_nothing_else(project_root, tmp_path):
    text = (project_root / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    set_as_of(tmp_path, ["climate"], date(2009, 3, 31))
    assert (tmp_path / "params.yaml").read_text() == text.replace('"2011-01-31"', '"2009-03-31"')
    assert load_params(tmp_path, "climate").ingest.as_of == date(2009, 3, 31)
    with pytest.raises(BasinError, match="does not list `weather`"):
        set_as_of(tmp_path, ["weather"], date(2009, 3, 31))
