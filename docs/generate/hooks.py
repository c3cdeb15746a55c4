"""MkDocs hooks that add generated pages and redirect links to files of the repository.

On the site, a link to a file of the repository leads to the page generated from it. For example,
``flows/cli/app.py`` leads to the reference of the command line and ``params.yaml`` to a listing of the file.
The same links therefore work in the repository and on the site.
"""

import os
import re
from pathlib import Path

import architecture
import command_line
import core_reference
import glossary
import notebooks
import parameters
import repository_files
import schemas
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
"""Matches the target of a Markdown link to a file, without the fragment."""

DIAGRAM = "<!-- architecture -->"
GLOSSARY = "<!-- glossary -->"

sources: dict[str, Path] = {}
"""Source file of each page, by the page's path in ``docs/``. Links on the page are relative to this file."""

MADE_OF = {
    "reference/command-line.md": "flows/cli/app.py",
    "reference/parameters.md": "tasks/runtime/params.py",
    **schemas.PAGES,
    **repository_files.PAGES,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and a listing of each file of the repository that a page links to."""
    shown = notebooks.pages()
    generated = {
        "reference/command-line.md": command_line.page(),
        "reference/parameters.md": parameters.page(ROOT),
        **{name: schemas.page(ROOT / path) for name, path in schemas.PAGES.items()},
        **{name: (ROOT / path).read_text(encoding="utf-8") for name, path in repository_files.PAGES.items()},
        **core_reference.pages(ROOT),
        **shown,
    }
    written = {file.src_uri: file.content_string for file in files.documentation_pages()} | generated
    sources.clear()
    sources.update(
        {name: DOCS / name for name in written}
        | {name: ROOT / path for name, path in MADE_OF.items()}
        | {name: (DOCS / name).with_suffix(".ipynb") for name in shown}
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
    """Insert the architecture diagram and the glossary, and redirect links to pages of the site."""
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
