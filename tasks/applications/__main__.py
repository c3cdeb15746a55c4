"""``python -m tasks.applications NAME``: the entry point of ``dvc repro``, which runs all stages."""

import argparse
import sys
from pathlib import Path

from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import silent


def main(arguments: list[str] | None = None) -> int:
    """Run an application as ``applications/dvc.yaml`` has it; 0, or 1 after one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.applications",
        description="Run an application of the project.",
    )
    parser.add_argument("name", help="an application of applications/params.yaml")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml")
    options = parser.parse_args(arguments)
    try:
        from tasks.applications.harness.project import project_run

        for act in project_run(options.name, options.root.resolve()).stages.values():
            act(silent)
    except BasinError as error:
        print(f"basin: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
