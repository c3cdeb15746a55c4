"""``python -m tasks STAGE --domain D`` runs a stage unconditionally. ``dvc repro`` calls it."""

import argparse
import os
import sys
from pathlib import Path

from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import disconnect
from tasks.stages import STAGES, run_stage


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; return 0, or 1 after an error message of one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m tasks", description="Run one stage of one domain.")
    parser.add_argument("stage", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--domain", required=True, help="domain listed in params.yaml")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="project folder, which holds dvc.yaml and params.yaml"
    )
    options = parser.parse_args(arguments)
    try:
        run_stage(options.stage, options.domain, options.root.resolve())
    except BasinError as error:
        print(f"basin: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    disconnect()
    sys.stdout.flush()
    sys.stderr.flush()
    # Skip the destructors of native libraries: on a busy machine Ray's can abort a finished process.
    os._exit(code)
