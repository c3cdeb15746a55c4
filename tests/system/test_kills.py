"""kill -9 of whoever is at work: nothing half-written, and the next run ends with the same hashes."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.operation.chaos import Reference, disturbed
from tests.system.test_entry_points import lock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def reference(undisturbed: Path) -> Reference:
    return Reference(undisturbed, lock(undisturbed))


KILLS = {"flow": 0.5, "worker": 0.4, "stage": 0.6, "rename": 0.7}
"""Process that is killed, and the share of the outputs after which it is killed."""


@pytest.fixture(scope="module")
def kills(
    reference: Reference, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[tuple[bool, str]]]]:
    """Run two at a time, because a run uses one core, each with its own clone, home and server."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            kind: pool.submit(disturbed, reference, tmp_path_factory.mktemp(kind), kind, at)
            for kind, at in KILLS.items()
        }


@pytest.mark.parametrize("kind", KILLS)
def test_the_next_run_completes_with_the_same_hashes(
    kills: dict[str, Future[tuple[bool, str]]], kind: str
) -> None:
    killed_at_work, problem = kills[kind].result()
    assert problem == ""
    assert killed_at_work
