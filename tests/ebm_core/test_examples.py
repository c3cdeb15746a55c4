"""The examples in the docstrings of the public names run and print what they show."""

import doctest

import pytest

import ebm_core

SHARE = 0.6
"""Least share of the public names that have an example."""


def examples(name: str) -> list[doctest.DocTest]:
    # without the module's globals, so that an example imports what it uses
    found = doctest.DocTestFinder(exclude_empty=True).find(getattr(ebm_core, name), name, globs={})
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", ebm_core.__all__)
def test_the_examples_of_a_public_name_print_what_they_show(name: str) -> None:
    told: list[str] = []
    for test in examples(name):
        doctest.DocTestRunner().run(test, out=told.append)
    assert not told, "".join(told)


def test_most_public_names_have_an_example() -> None:
    shown = [name for name in ebm_core.__all__ if examples(name)]
    assert len(shown) >= SHARE * len(ebm_core.__all__)
