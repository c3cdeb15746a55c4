"""The page of a user's own file speaks of that file, not of the project's data."""

from pathlib import Path

import numpy as np
import pytest

from tasks.applications.harness.application import Given, get_application
from tasks.applications.harness.picture_files import Pictures
from tasks.applications.harness.report import application_page
from tasks.applications.images.application import APPLICATION as IMAGES
from tasks.applications.images.application import Examples

SCORES = {
    "models": {"ebm": {"accuracy": 1.0}, "svm": {"accuracy": 1.0}, "knn": {"accuracy": 1.0}},
    "intervals": {name: {"accuracy": [1.0, 1.0]} for name in ("ebm", "svm", "knn")},
    "measures": {"accuracy": {"title": "accuracy", "better": "higher"}},
    "paired": {},
    "groups": {},
    "seeds": 1,
    "notes": [],
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images", ("digit",)),
        ("music", ("artist", "five listeners", "audio", "sound")),
        ("social", ("retweet", "cascade", "ten minutes", "article")),
    ],
)
def test_title_and_question_are_those_of_the_data_given(name: str, words: tuple[str, ...]) -> None:
    pages = []
    for own in (True, False):
        audit = {"status": "pass", "checks": []}
        page = application_page(get_application(name), own, SCORES, [], {"expectations": []}, audit, [])
        pages.append(page.lower())
    of_own, of_catalog = pages
    assert Given(data=Path("mine")).own and Given(train=Path("a"), test=Path("b")).own and not Given().own
    for word in words:
        assert word in of_catalog
        assert word not in of_own


def test_notes_of_pictures_hold_of_any_pictures_and_of_ties() -> None:
    rows = np.arange(4)
    pictures = Pictures(np.zeros((4, 8, 8), np.float32), ("a", "b", "c", "d"), None)
    notes = " ".join(IMAGES.notes(Examples(pictures, rows % 2, ("x", "y"), ((rows, rows),)), SCORES))
    assert "digit" not in notes
    assert "The accuracy of the energy is 1.0000, that of its best peers (svm, knn) 1.0000." in notes
