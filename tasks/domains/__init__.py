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
            f"no domain `{name}`; known: {', '.join(DOMAINS)}. An application is not listed in `domains` of "
            f"params.yaml; run it with `basin run --domain {name}`"
        )
    return import_module(f"tasks.domains.{name}").DOMAIN
