"""Stages of the pipeline and the code that they use. CONTRIBUTING.md has the rules for imports."""

import os
import sys

# No package that a stage uses may report home, and nobody joins our Ray, nor we another's, without a token.
# These are defaults: what the user set stays.
for _name, _value in {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    if _name != "RAY_AUTH_MODE" or "ray" not in sys.modules:  # Ray reads it once, when it is imported
        os.environ.setdefault(_name, _value)
