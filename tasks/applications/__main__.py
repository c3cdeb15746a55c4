"""``python -m tasks.applications NAME`` runs all stages of an application. ``dvc repro`` calls it."""

import argparse
import sys
from pathlib import Path

from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import silent


def main(arguments: list[str] | None = None) -> int:
    """Run the stage of ``applications/dvc.yaml``; return 0, or 1 after a one-line message on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.applications",
        description="Run all stages of an application on the data of the catalog.",
    )
    parser.add_argument("name", help="application listed in applications/params.yaml")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="project folder, which holds dvc.yaml and params.yaml"
    )
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
