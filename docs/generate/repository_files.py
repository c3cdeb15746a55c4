"""Files of the repository outside ``docs/`` that are pages of the site."""

from pathlib import Path

PAGES = {
    "contribute/index.md": "CONTRIBUTING.md",
    "contribute/changelog.md": "CHANGELOG.md",
}
"""Name of the page, and the Markdown file that it shows."""

LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".py": "python"}


def listing_name(path: Path) -> str:
    """Page of a file that is named relative to the root of the repository."""
    return f"files/{path.as_posix()}.md"


def listing(source: Path, path: Path) -> str:
    """The file in a code block, under its name in the repository."""
    text = source.read_text(encoding="utf-8").rstrip()
    return f"# `{path.as_posix()}`\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"
