"""``python -m tasks STAGE --domain D``: the entry point of ``dvc repro``, which always runs the stage."""

import argparse
import os
import sys
from pathlib import Path

from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import disconnect
from tasks.stages import STAGES, run_stage


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; 0, or 1 after one line on stderr that says what to mend."""
    parser = argparse.ArgumentParser(prog="python -m tasks", description="Run one stage of one domain.")
    parser.add_argument("stage", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--domain", required=True, help="a domain of params.yaml")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of dvc.yaml and params.yaml")
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
    # Past the destructors of native libraries: under load Ray's can abort a process whose work is done.
    os._exit(code)
