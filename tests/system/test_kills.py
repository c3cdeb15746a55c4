"""kill -9 of whoever is at work: nothing half-written, and the next run ends with the same hashes."""

from pathlib import Path

import pytest

from benchmarks.chaos import Reference, disturbed
from tests.system.test_doors import lock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def reference(undisturbed) -> Reference:
    return Reference(undisturbed.root, lock(undisturbed.root), undisturbed.seconds)


@pytest.mark.parametrize(("kind", "at"), [("flow", 0.5), ("worker", 0.4), ("stage", 0.6), ("rename", 0.7)])
def test_the_next_run_completes_with_the_same_hashes(
    reference: Reference, tmp_path: Path, kind: str, at: float
) -> None:
    killed_at_work, problem = disturbed(reference, tmp_path, kind, at)
    assert problem == ""
    assert killed_at_work
