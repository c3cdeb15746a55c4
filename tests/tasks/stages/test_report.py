"""Stage report: the page agrees with the scores, loads no other file and is reproducible to the byte."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from tasks.reporting.charts import ticks
from tasks.reporting.energies import density
from tasks.reporting.labels import dated, model_name, series_name, text
from tasks.reporting.tables import score_tables
from tasks.reporting.tiles import tiles
from tasks.reporting.verdict import Block, headline, holm, strongest
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json, write_json
from tasks.runtime.params import load_params
from tasks.stages import report as stage
from tests.synthetic import LEADS, PEERS, make_inputs, project

FREQUENCY = {"finance": "B", "climate": "MS"}
REFERENCE = {"finance": "egarch-skewt", "climate": "damped-persistence"}


def domain_of(workspace) -> SimpleNamespace:
    return made_up(workspace.domain)


def made_up(name: str) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, title="A title", question="What <will> happen?", unit="% (100·Δlog close)",
        frequency=FREQUENCY[name], leads=LEADS[name], peers=PEERS[name], reference=REFERENCE[name],
        sources=("a",), returns=name == "finance",
    )  # fmt: skip


@pytest.fixture(params=["finance", "climate"])
def workspace(request, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "get_domain", domain_of)
    made = project(tmp_path, request.param, rows=300)
    make_inputs(made, "x_z")
    return made


def write(workspace, project_root) -> str:
    stage.report(workspace, load_params(project_root, workspace.domain))
    return workspace.report.read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Parser that collects ids, links and loaded files, and raises if tags are not closed in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.stack, self.ids, self.links, self.loads, self.unnamed = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.loads += [v for k, v in attrs if k in ("src", "href") and tag != "a"]
        named = found.get("aria-label") or found.get("aria-hidden") == "true"
        if (tag == "img" and not found.get("alt")) or (tag == "svg" and not named):
            self.unnamed.append(tag)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def test_the_page_is_well_formed_named_and_loads_nothing(workspace, project_root):
    html = write(workspace, project_root)
    outline = Outline()
    outline.feed(html)
    assert not outline.stack and not outline.unnamed
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert all(value.startswith("data:") for value in outline.loads)
    assert (
        "<script" not in html
        and "default-src 'none'" in html
        and "http" not in html.replace("http-equiv", "")
    )
    assert "What &lt;will&gt; happen?" in html and "&lt;closed&gt;" in html


def test_the_same_inputs_give_the_same_bytes(workspace, project_root):
    assert write(workspace, project_root) == write(workspace, project_root)


def test_every_model_check_date_and_hash_is_on_the_page(workspace, project_root):
    html = write(workspace, project_root)
    forecast = read_json(workspace.forecast)
    for part in forecast["series"].values():
        for time in (part["origin"], *(step["time"] for step in part["steps"])):
            assert dated(time, FREQUENCY[workspace.domain]) in html
    for model in pd.read_parquet(workspace.forecasts)["model"].unique():
        assert model_name(model) in html.replace("\N{NON-BREAKING HYPHEN}", "-")
    for words in (
        "Look-ahead",
        "Coverage gaps",
        "2001-09-11",
        "abababab",
        "model.safetensors",
        "split.test_from",
    ):
        assert words in html
    assert not re.search(r">\s*(nan|None|inf)\s*<", html)


RIVAL = "EGARCH-skew-t, its strongest rival (CRPS 0.4500 against 0.5000 %, t = "
BEAT, LOST, LEVEL = (
    f"beat {RIVAL}3.0), ",
    f"lost to {RIVAL}−3.0), ",
    f"was not clearly different from {RIVAL}1.0), ",
)
BASE = "its own untilted base (CRPS 0.4500 against 0.4600 %, t = "


@pytest.mark.parametrize(
    ("rival", "base", "words"),
    [
        (3.0, 2.5, f"{BEAT}and it is clearly better than {BASE}2.5)."),
        (3.0, 0.4, f"{BEAT}but it is not clearly different from {BASE}0.4)."),
        (-3.0, -2.5, f"{LOST}and it is worse than {BASE}−2.5)."),
        (1.0, 1.0, f"{LEVEL}and it is not clearly different from {BASE}1.0)."),
    ],
)
def test_the_headline_follows_the_evidence(rival, base, words):
    assert words in headline([block(rival, base)], made_up("finance"), "10 days")


@pytest.mark.parametrize(
    ("t", "words"),
    [
        (
            (3, 3, 1, 1, 1),
            "was clearly better at 2 of 5 leads than persistence, its strongest rival (CRPS 0.4500 against",
        ),
        ((3, 3, 1, 1, -3), "was clearly better at 2 and clearly worse at 1 of 5 leads than persistence"),
        ((1, 1, 1, 1, 1), "was at none of 5 leads clearly different from persistence"),
        ((1, 1, 1, 1, -3), "was clearly worse at 1 of 5 leads than persistence"),
    ],
)
def test_the_headline_counts_leads(t, words):
    found = [block(one, 0.1, "persistence", lead=i) for i, one in enumerate(t, 1)]
    assert words in headline(found, made_up("climate"), "10 months")


def test_the_headline_names_what_it_loses():
    found = [block(3.0, 2.5, label="Both together"), block(3.0, -2.5, label="NASDAQ", series="nasdaq")]
    said = headline(found, made_up("finance"), "10 days")
    assert said.endswith("It is worse at NASDAQ than its own base (CRPS 0.4500 against 0.4600 %, t = −2.5).")
    many = [found[0], *(block(3.0, -2.5, label=f"S{i}", series=f"S{i}") for i in range(20))]
    assert headline(many, made_up("finance"), "10 days").endswith("t = −2.5) and in 17 further comparisons.")


def test_the_strongest_rival_has_the_lowest_crps_over_all_leads_and_is_not_the_base():
    first, second = block(1.0, 1.0, "garch-t"), block(1.0, 1.0, "garch-t", lead=2)
    first.models["gjr-skewt"], second.models["gjr-skewt"] = {"crps": 0.49}, {"crps": 0.52}
    assert strongest([first]) == "gjr-skewt"
    assert strongest([first, second]) == "garch-t"
    part = block(1.0, 1.0, "garch-t", series="a")
    part.models["garch-t"]["crps"] = 0.1
    assert strongest([first, part]) == "gjr-skewt"


def block(
    against: float, own: float, rival: str = "egarch-skewt", label: str = "", lead: int = 1, series: str = ""
):
    crps = {"ebm": 0.45, "base": 0.46, rival: 0.5}
    models = {model: {"crps": value} for model, value in crps.items()}
    paired = {rival: {"crps": {"t": against}}, "base": {"crps": {"t": own}}}
    return Block(label, 10, models, paired, lead, series)


def test_leads_without_a_tilt_are_said(workspace, project_root):
    said = "At lead 3 the tilt did not improve past forecasts"
    assert (said in write(workspace, project_root)) == (workspace.domain == "climate")


def test_prices_are_those_of_origins_so_that_none_is_in_quarantine():
    raw = pd.DataFrame(
        {"series": "a", "time": pd.bdate_range("2020-01-01", periods=3), "close": [1.0, 0.0, 2.0]}
    )
    inputs = pd.DataFrame({"series": "a", "origin": raw["time"][[0, 0, 2]], "lead": [1, 2, 1]})
    assert stage.used(raw, inputs)["close"].tolist() == [1.0, 2.0]


def test_holm_against_a_worked_example():
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert adjusted == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


def test_a_forecast_without_the_reference_is_one_clear_line(workspace, project_root):
    forecasts = pd.read_parquet(workspace.forecasts)
    forecasts[forecasts["model"] != REFERENCE[workspace.domain]].to_parquet(workspace.forecasts)
    with pytest.raises(BasinError, match=f"no rows of model `{REFERENCE[workspace.domain]}`"):
        write(workspace, project_root)
    assert not workspace.report.exists()


def test_a_missing_output_names_the_file(workspace, project_root):
    workspace.forecast_audit.unlink()
    with pytest.raises(BasinError, match=r"audit_forecasts\.json is missing"):
        write(workspace, project_root)


def test_markup_in_a_result_is_shown_not_obeyed(workspace, project_root):
    forecast = read_json(workspace.forecast)
    forecast["series"] = {"<b>x</b>": next(iter(forecast["series"].values()))}
    write_json(workspace.forecast, forecast)
    forecasts = pd.read_parquet(workspace.forecasts)
    first = forecasts[forecasts["series"] == forecasts["series"].iloc[0]]
    first.assign(series="<b>x</b>").to_parquet(workspace.forecasts)
    assert "<b>x</b>" not in write(workspace, project_root)


def test_numbers_have_real_minus_signs_and_no_minus_zero():
    assert (text(-1.5), text(-0.001), text(1234.5, 0)) == ("−1.50", "0.00", "1,234")


@pytest.mark.parametrize("low, high", [(0, 1), (-0.013, 0.12), (990, 1013), (-5, -4.2)])
def test_ticks_are_round_and_inside(low, high):
    marks = ticks(low, high)
    assert 3 <= len(marks) <= 7 and low <= marks[0] and marks[-1] <= high
    assert np.allclose(np.diff(marks), np.diff(marks)[0])


def test_the_glossary_explains_the_terms_of_the_page_alone(workspace, project_root):
    html = write(workspace, project_root)
    explained = re.findall(r"<dt>(.*?)</dt>", html)
    assert {"Base", "CRPS", "Log score", "Nat", "PIT"} <= set(explained)
    assert ("Value at risk" in explained) == (workspace.domain == "finance")
    assert ("AUROC" in explained) == ("RPSS" in explained) == (workspace.domain == "climate")
    assert not {"AIS", "Conformal p-value", "Exog"} & set(explained)


def test_a_report_takes_no_word_from_another_field(workspace, project_root):
    words = re.sub(r"<[^>]+>", " ", write(workspace, project_root))
    foreign = ["tomorrow", "lucky"] + ["market", "value at risk", "trading"] * (workspace.domain == "climate")
    assert not [word for word in foreign if word in words.lower()]


def test_a_series_without_a_name_is_called_so():
    assert [series_name(name) for name in ("sp500", "a b", "", " ")] == [
        "S&P 500", "a b", "(no name)", "(no name)",
    ]  # fmt: skip


def test_without_a_tilt_a_sentence_takes_the_place_of_empty_charts(workspace, project_root):
    tilted = write(workspace, project_root)
    assert "change of mean energy, nats" in tilted and "The energy has no weight" not in tilted
    config = read_json(workspace.model / "config.json")
    config["tilt"]["weights"] = dict.fromkeys(config["tilt"]["weights"], 0.0)
    write_json(workspace.model / "config.json", config)
    untilted = write(workspace, project_root)
    assert "change of mean energy, nats" not in untilted and "The energy has no weight" in untilted


def test_an_outcome_beyond_the_quantiles_lies_inside_the_density():
    quantiles = pd.Series(norm.ppf(np.arange(1, 100) / 100))
    for outcome in (-6.0, -0.5, 4.0):
        points = density(quantiles, outcome, norm.logpdf(outcome))
        across, heights = np.array(points).T
        assert across[0] < outcome < across[-1] and (np.diff(across) > 0).all()
        assert np.trapezoid(heights, across) == pytest.approx(1, abs=0.04)
        drawn = np.exp(np.interp(outcome, across, np.log(heights)))
        assert drawn == pytest.approx(norm.pdf(outcome), rel=0.05)


def test_scores_that_are_not_finite_are_dashes(workspace, project_root):
    forecasts = pd.read_parquet(workspace.forecasts)
    bad = PEERS[workspace.domain][1]
    forecasts.loc[forecasts["model"] == bad, ["log_density", "crps"]] = -np.inf
    forecasts.loc[(forecasts["model"] == "base") & (forecasts.index % 3 == 0), "log_density"] = np.nan
    forecasts.to_parquet(workspace.forecasts)
    scores = read_json(workspace.scores)
    for block in (scores, scores.get("pooled", scores), *scores.get("series", {}).values()):
        for lead in block.get("leads", {}).values():
            lead["models"][bad] |= {"crps": None, "log_score": None}
            lead["models"]["base"]["log_score"] = None
            for peer in (bad, "base"):
                lead["paired"][peer] |= {"log_score_gain": None, "se": None, "t": None, "p": None}
            lead["paired"][bad] |= {"crps_gain_pct": None, "crps": dict.fromkeys(("gain", "se", "t", "p"))}
    write_json(workspace.scores, scores)
    html = write(workspace, project_root)
    shown = re.sub(r"<style>.*?</style>", "", html, flags=re.S)
    assert not re.search(r"\bnan\b|\binf\b", shown) and "– ± –" in shown
    assert any("–" in cell for table in score_tables(scores) for row in table.rows for cell in row)


def test_the_tiles_name_the_rival_of_the_headline():
    def scores(rival: float, other: float) -> dict:
        score = {"log_score": 0.0, "coverage": {"0.9": 0.9}, "acc": 0.5}
        crps = {"ebm": 1.0, "base": 1.1, "lim": other, "persistence": rival}
        return {model: {"crps": value, **score} for model, value in crps.items()}

    paired = {
        "crps_gain_pct": 1.0,
        "log_score_gain": 0.1,
        "t": 1.0,
        "crps": {"t": 1.0, "gain": 0.1, "se": 0.1},
    }
    peers = {model: paired for model in ("base", "lim", "persistence")}
    found = [
        Block("1 month", 100, scores(1.3, 1.2), peers, 1),
        Block("6 months", 100, scores(1.3, 2.0), peers, 6),
    ]
    shown = " ".join(words for _, words in tiles(found, SimpleNamespace(unit="°C", frequency="MS")))
    assert strongest(found) == "persistence"
    assert "persistence, its strongest rival" in shown and "linear inverse" not in shown
