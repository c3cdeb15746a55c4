"""Fixture of the flow tests: one Prefect server for all, because it takes long to start."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Run a Prefect server with its own database. Each test looks only at its own flow run."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
