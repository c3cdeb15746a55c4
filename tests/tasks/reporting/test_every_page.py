"""Rules that pages of every kind keep: one shell, no internal names, and a legend for everything drawn."""

import re
from html import unescape
from pathlib import Path

import pytest

from tests.synthetic_pages import pages

KINDS = ("finance", "climate", "joint", "panel", "alarm", "audit", "monitor", "application", "validation")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = pages(tmp_path_factory.mktemp("pages"), project_root, monkeypatch)
    return {name: path.read_text(encoding="utf-8") for name, path in found.items()}


def test_there_is_a_page_of_every_kind(html: dict[str, str]) -> None:
    assert sorted(html) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_loads_nothing_and_fits_a_phone(html: dict[str, str], kind: str) -> None:
    page = html[kind]
    assert page.startswith("<!doctype html>") and page.count("<title>") == 1 and 'lang="en"' in page
    assert "default-src 'none'" in page and 'name="viewport"' in page
    assert "@media print" in page and "color-scheme" in page
    assert "<script" not in page and not re.search(r"https?://|@import|url\(", page)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_regions_have_one_label(html: dict[str, str], kind: str) -> None:
    labels = re.findall(r'role="region" aria-label="([^"]*)"', html[kind])
    assert len(labels) == html[kind].count('role="region"')
    assert [label for label in labels if labels.count(label) > 1] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_internal_name_is_shown(html: dict[str, str], kind: str) -> None:
    page = re.sub(r"<style>.*?</style>|data:image[^\"]*", "", html[kind], flags=re.DOTALL)
    page = re.sub(r'<section id="provenance".*?</section>', "", page, flags=re.DOTALL)
    page = re.sub(r'<td class="[^"]*code[^"]*">.*?</td>', "", page)
    spoken = " ".join(re.findall(r'(?:aria-label|alt)="([^"]*)"', page))
    words = unescape(re.sub(r"<[^>]+>", " ", page) + spoken)
    assert not re.findall(r"\S*\w_\w\S*", words)
    assert not re.findall(r"\b(?:egarch|gjr|garch|seasonal|damped|one-class|isolation)-[a-z]+\b", words)


def drawn(svg: str) -> set[str]:
    """Names of the series and areas of a drawing. Grids, reference lines and outlines have no name."""
    series = re.findall(r'class="(?:stroke|fill|whisker) ?([\w-]*)"', svg)
    return {*series, *re.findall(r'class="(band|fan1|fan2|danger|bar)"', svg)}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_drawn_has_an_entry_in_the_legend_or_a_label(html: dict[str, str], kind: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", html[kind], flags=re.DOTALL)
    for figure in figures:
        legend = "".join(re.findall(r'<svg class="swatch".*?</svg>', figure))
        chart = re.sub(r'<svg class="swatch".*?</svg>', "", figure)
        assert 'class="row"' in chart or drawn(chart) <= drawn(legend), (kind, figure[:300])
    assert kind in ("audit", "validation") or figures
