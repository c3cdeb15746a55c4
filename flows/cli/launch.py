"""Start a Prefect flow, or stages without Prefect, with progress on the terminal."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from flows.cli.display import Display


def run_flow(
    which: Literal["pipeline", "application"], display: "Display", what: str, /, **parameters: Any
) -> None:
    """Run a flow to its end; raises ``BasinError`` if it fails or the Prefect server does not answer."""
    if url := os.environ.get("PREFECT_API_URL"):
        _knock(url)
    display.log.print(f"basin: {what}; starting Prefect", markup=False)
    # Progress is shown by our own display. Prefect's log lines still go to its UI.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from flows.listener import listener

    flow: Any
    if which == "pipeline":
        from flows.pipeline import pipeline as flow
    else:
        from flows.application import application as flow

    before = listener.set(display)
    try:
        # Prefect installs signal handlers only in the main thread, and ours must stay in place.
        run: Any = copy_context().run
        with ThreadPoolExecutor(1) as thread:
            state = thread.submit(run, flow, **parameters, return_state=True).result()
    finally:
        listener.reset(before)
    if not state.is_completed():
        raise BasinError(state.message or f"the run ended in the state {state.name}")


def run_stages(
    stages: Sequence[str], domain: str, root: Path, display: "Display", terse: bool = False
) -> list[str]:
    """Run the stages of a domain that are out of date, one after the other, without Prefect.

    Returns the outcome of each. With ``terse``, cached stages are not shown.
    """
    from flows.stage import bring_stage_up_to_date
    from tasks.runtime.freshness import one_run_at_a_time
    from tasks.runtime.params import load_params

    load_params(root, domain)
    display.terse = terse
    with display, one_run_at_a_time(root, display.waiting):
        return [bring_stage_up_to_date(name, domain, root, display).outcome for name in stages]


def _knock(url: str) -> None:
    """Raise ``BasinError`` if no Prefect server answers; Prefect itself would end with a traceback."""
    import httpx

    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BasinError(
            f"no Prefect server answers at {url} ({error}); start it, or unset PREFECT_API_URL to run "
            "without it"
        ) from error
