"""Words of error messages."""

import doctest

from tasks.runtime import errors


def test_the_examples_print_what_they_show() -> None:
    found = doctest.testmod(errors)
    assert found.attempted and not found.failed
