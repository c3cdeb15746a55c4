"""Order, retries, schedules, progress: Prefect flows and the ``basin`` command line; no science."""

import os

import tasks  # noqa: F401  (its telemetry defaults come first)

# Read when Prefect is first imported, so set here. These are defaults: what the user set stays.
for _name, _value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    # A busy machine takes longer than Prefect's 20 s to start a server for one run.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}.items():
    os.environ.setdefault(_name, _value)
