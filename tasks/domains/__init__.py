"""Forecasting domains, one module each. ``domain.py`` defines their interface."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.runtime.workspace import Workspace

DOMAINS = tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "domain"))
"""Names of the forecasting domains, one for each module of this package."""


def get_domain(workspace: "Workspace") -> Any:
    """Return the domain of a workspace, or raise ``BasinError`` if its name is unknown."""
    if workspace.own is not None:
        return workspace.own
    name = workspace.domain
    if name not in DOMAINS:
        raise BasinError(
            f"no forecasting domain `{name}`; expected one of {', '.join(DOMAINS)}; if it is an application, "
            "remove it from `domains` in params.yaml"
        )
    return import_module(f"tasks.domains.{name}").DOMAIN
