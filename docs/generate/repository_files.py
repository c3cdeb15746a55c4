"""Pages of the site that show files of the repository outside ``docs/``."""

from pathlib import Path

PAGES = {
    "contribute/index.md": "CONTRIBUTING.md",
    "contribute/changelog.md": "CHANGELOG.md",
}
"""Path of each page, and the Markdown file that it shows."""

LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".py": "python"}


def listing_name(path: Path) -> str:
    """Return the path of the page that lists the file ``path`` of the repository."""
    return f"files/{path.as_posix()}.md"


def listing(source: Path, path: Path) -> str:
    """Return a page with the content of a file in a code block, under its path in the repository."""
    text = source.read_text(encoding="utf-8").rstrip()
    return f"# `{path.as_posix()}`\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"
