"""MkDocs hooks: pages written by a program, and links to files of the repository.

A link to a file leads on the site to the page that is made of it: ``flows/cli/app.py`` to the reference of
the command line, ``params.yaml`` to a listing. So links work on the site as they do in the repository.
"""

import os
import re
from pathlib import Path

import architecture
import command_line
import core_reference
import glossary
import parameters
import repository_files
import scores_schema
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
"""The target of a Markdown link to a file, without its fragment."""

DIAGRAM = "<!-- architecture -->"
GLOSSARY = "<!-- glossary -->"

sources: dict[str, Path] = {}
"""The file that each page is made of, and that its links are relative to, by the page's name in ``docs/``."""

MADE_OF = {
    "reference/command-line.md": "flows/cli/app.py",
    "reference/parameters.md": "tasks/runtime/params.py",
    "reference/scores.md": "docs/scores.schema.json",
    **repository_files.PAGES,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    generated = {
        "reference/command-line.md": command_line.page(),
        "reference/parameters.md": parameters.page(ROOT),
        "reference/scores.md": scores_schema.page(DOCS / "scores.schema.json"),
        **{name: (ROOT / path).read_text(encoding="utf-8") for name, path in repository_files.PAGES.items()},
        **core_reference.pages(ROOT),
    }
    written = {file.src_uri: file.content_string for file in files.documentation_pages()} | generated
    sources.clear()
    sources.update(
        {name: DOCS / name for name in written} | {name: ROOT / path for name, path in MADE_OF.items()}
    )
    links = {
        (sources[name].parent / link).resolve()
        for name, text in written.items()
        for link in LINK.findall(text)
    }
    for path in sorted(links - set(sources.values())):
        if path.is_file() and path.is_relative_to(ROOT) and not path.is_relative_to(DOCS):
            name = repository_files.listing_name(path.relative_to(ROOT))
            generated[name] = repository_files.listing(path, path.relative_to(ROOT))
            sources[name] = path
    for name, content in generated.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Insert the picture of the architecture and the glossary, and point links at pages of the site."""
    source = sources[page.file.src_uri]
    names = {path: name for name, path in sources.items()} | {ROOT / "README.md": "index.md"}

    def on_the_site(match: re.Match[str]) -> str:
        target = (source.parent / match.group()).resolve()
        name = names.get(target)
        if name is None and target.is_file() and target.is_relative_to(DOCS):
            name = target.relative_to(DOCS).as_posix()
        return match.group() if name is None else os.path.relpath(name, Path(page.file.src_uri).parent)

    markdown = markdown.replace(DIAGRAM, architecture.diagram(ROOT)).replace(GLOSSARY, glossary.table())
    return LINK.sub(on_the_site, markdown)
