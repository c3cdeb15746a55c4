"""The stages of the pipeline in order, and the function that runs one."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tasks.runtime.errors import BasinError, expected
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.workspace import Workspace

STAGES = (
    "ingest",
    "validate",
    "features",
    "audit",
    "train",
    "evaluate",
    "landscape",
    "register",
    "forecast",
    "report",
)


def run_stage(stage: str, domain: str, root: Path, progress: Progress = silent) -> dict[str, Any]:
    """Run one stage of one domain of the project ``root`` and return a short summary that fits into JSON.

    Raises ``BasinError`` for errors that a user can correct.
    """
    if stage not in STAGES:
        raise BasinError(f"unknown stage `{stage}`; {expected(stage, STAGES)}")
    from tasks.runtime.params import load_params  # pydantic takes longer to import than `basin --help`

    params = load_params(root, domain)
    function = stage_function(stage)
    try:
        result: dict[str, Any] = function(Workspace(root, domain), params, progress)
    except FileNotFoundError as error:
        raise BasinError(
            f"{error.filename or error} is missing; run the stages before {stage} (`basin run`)"
        ) from error
    except FloatingPointError as error:
        raise BasinError(f"{domain} {stage}: {error}") from error
    return result


def stage_function(stage: str) -> Callable[[Workspace, Any, Progress], dict[str, Any]]:
    """Return the function of a stage, which has the name of its module ``tasks/stages/STAGE.py``."""
    function: Callable[[Workspace, Any, Progress], dict[str, Any]]
    function = getattr(import_module(f"tasks.stages.{stage}"), stage)
    return function
