"""Forecasting domains, one module each; ``domain.py`` is the interface that they keep."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.runtime.workspace import Workspace

DOMAINS = tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "domain"))
"""Every forecasting domain there is a module of."""


def get_domain(workspace: "Workspace") -> Any:
    """The domain of a workspace; raises ``BasinError`` for a name that does not exist."""
    if workspace.own is not None:
        return workspace.own
    name = workspace.domain
    if name not in DOMAINS:
        raise BasinError(
            f"no domain `{name}`; known: {', '.join(DOMAINS)}; if it is an application, take it out of "
            "`domains` in params.yaml"
        )
    return import_module(f"tasks.domains.{name}").DOMAIN
