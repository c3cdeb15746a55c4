"""The project's files as a clone would have them."""

import subprocess
from pathlib import Path


def tracked(root: Path) -> list[str]:
    """Names, relative to ``root``, of the files that git knows or would take and that are there."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listing.stdout.splitlines() if (root / name).is_file()]
