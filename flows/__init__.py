"""Prefect flows and the ``basin`` command line: order of stages, retries, schedules and progress."""

import os

import tasks  # noqa: F401  (turns telemetry off before Prefect is imported)

# Prefect reads these variables when it is first imported. Values that the user has set are kept.
for _name, _value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    # A busy machine takes longer than Prefect's 20 s to start a server for one run.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}.items():
    os.environ.setdefault(_name, _value)
