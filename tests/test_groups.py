"""Tests of a file run in one process, so that its fixtures are made once."""

import pytest


def test_the_groups_of_the_tests_reach_pytest_xdist(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("the tests run in one process")
    assert request.node.nodeid.endswith("test_groups.py")
