"""The examples in the docstrings of `ebm_core` and `basin` run and print what they show."""

import doctest
from types import ModuleType

import pytest

import basin
import ebm_core

SHARE = 0.6
"""Least share of the public names that have an example."""

PUBLIC = [(module, name) for module in (ebm_core, basin) for name in module.__all__]


def examples(module: ModuleType, name: str) -> list[doctest.DocTest]:
    # Without the module's globals, so that an example imports what it uses.
    found = doctest.DocTestFinder(exclude_empty=True).find(getattr(module, name), name, globs={})
    return [test for test in found if test.examples]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_the_examples_of_a_public_name_print_what_they_show(module: ModuleType, name: str) -> None:
    told: list[str] = []
    for test in examples(module, name):
        doctest.DocTestRunner().run(test, out=told.append)
    assert not told, "".join(told)


def test_most_public_names_have_an_example() -> None:
    shown = [name for module, name in PUBLIC if examples(module, name)]
    assert len(shown) >= SHARE * len(PUBLIC)
