"""Files of the repository that are pages of the site, whole or in part."""

from pathlib import Path

PAGES = {
    "contribute/index.md": "CONTRIBUTING.md",
    "contribute/changelog.md": "CHANGELOG.md",
    "results/evaluations.md": "benchmarks/OPENINGS.md",
}
"""Name of the page, and the Markdown file that it shows."""

LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".py": "python"}


WIDE = "---\nhide: [toc]\n---\n\n"
"""Front matter of pages with wide tables."""


def page(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text if "\n## " in text else WIDE + text


def section(path: Path, heading: str) -> str:
    """A section of a Markdown file as a page of its own; raises ``ValueError`` if there is none."""
    _, found, rest = path.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    if not found:
        raise ValueError(f"{path}: no section `## {heading}`, which docs/generate/hooks.py makes a page of")
    body = rest.partition("\n## ")[0]
    return f"{WIDE}# {heading}\n{body}"


def listing_name(path: Path) -> str:
    """Page of a file that is named relative to the root of the repository."""
    return f"files/{path.as_posix()}.md"


def listing(source: Path, path: Path) -> str:
    """The file in a code block, under its name in the repository."""
    text = source.read_text(encoding="utf-8").rstrip()
    return f"# `{path.as_posix()}`\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"
