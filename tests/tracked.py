"""List the files of the project that a clone would have."""

import subprocess
from pathlib import Path


def tracked(root: Path) -> list[str]:
    """Return the existing files in ``root`` that are tracked or not ignored by git, as relative paths."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listing.stdout.splitlines() if (root / name).is_file()]
