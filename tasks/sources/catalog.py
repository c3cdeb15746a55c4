"""Catalog of data sources: reads the entries of ``data/catalog.yaml`` and the tables that they describe."""

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_yaml
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import wrong_content
from tasks.sources.entries import DatasetSource, LibrarySource, Source, TableSource, UrlSource

KINDS = ("library", "url", "file", "dataset")
"""Kinds of sources."""

RETRIES = 3
"""Number of retries of a download. The pause before each is one second longer than the last."""

TIMEOUT = 30
"""Seconds without an answer after which an attempt fails."""


@dataclass(frozen=True)
class SourceTable:
    """Table of a source.

    ``table`` has a column ``time`` without time zone and float columns of values, with rows in the order of
    the source. ``sha256`` is the hash of the file, or of the table as CSV if a package ships it. ``label``
    names the source in messages.
    """

    table: pd.DataFrame
    sha256: str
    label: str


def load_catalog(path: Path) -> dict[str, Source]:
    """Return all entries by name, or raise ``BasinError`` that names the entry and key that is not valid."""
    content = read_yaml(path, "restore it with `git checkout`")
    if not isinstance(content, dict):
        raise BasinError(
            f"{path}: expected a mapping of source names to entries, found {type(content).__name__}"
        )
    adapter: TypeAdapter[Any] = TypeAdapter(Source)
    entries = {}
    for name, entry in content.items():
        try:
            entries[str(name)] = adapter.validate_python(entry)
        except ValidationError as error:
            raise wrong_content(path, error, str(name), tags=KINDS) from error
    return entries


def read_source(
    name: str, entry: TableSource, root: Path, mirror: Path | None = None, progress: Progress = silent
) -> SourceTable:
    """Read a source of the catalog, and check its sha256 if the catalog states one.

    The copy in ``mirror`` is used if there is one. Otherwise the source is loaded from its package,
    downloaded, or read from the project ``root``.

    Rows keep their order, and values are not corrected. Raises ``BasinError`` if the source is missing,
    cannot be read, has another sha256, lacks a column, or has a date or number that cannot be parsed. The
    message names the file and, where possible, row and value.
    """
    from tasks.sources.readers import read_file, tidy

    path = mirror / entry.mirror if mirror and entry.mirror else None
    if path is None or not path.is_file():
        if isinstance(entry, LibrarySource):
            label = f"{name} ({entry.loader})"
            table = tidy(label, _load(label, entry), entry)
            return SourceTable(table, hashlib.sha256(table.to_csv(index=False).encode()).hexdigest(), label)
        path = _download(name, entry, root, progress) if isinstance(entry, UrlSource) else root / entry.path
    label = f"{name} ({path})"
    found = _sha256(label, path, entry)
    if not entry.accepts(found):
        raise BasinError(
            f"{label}: sha256 is {found}, expected {' or '.join(entry.sha256 or ())}; the file is damaged or "
            "was changed; get it again, or enter its new sha256 in data/catalog.yaml"
        )
    table = tidy(label, read_file(label, path, entry), entry)
    return SourceTable(table, found, label)


def _load(label: str, entry: LibrarySource) -> pd.DataFrame:
    module, _, function = entry.loader.rpartition(".")
    try:
        loaded = getattr(import_module(module), function)()
    except (ImportError, AttributeError, ValueError) as error:
        raise BasinError(
            f"{label}: cannot load it ({error}); install the package {entry.package} (`make setup`) or "
            "correct `loader` in data/catalog.yaml"
        ) from error
    table: pd.DataFrame = getattr(loaded, "data", loaded)
    return table.reset_index() if table.index.name else table


def find_dataset(name: str, entry: DatasetSource, mirror: Path | None) -> tuple[Any, str | None]:
    """Return a data set and its sha256.

    The data set is what the loader of a package returned, without a sha256, or a path in the mirror. Raises
    ``BasinError``, which says how to get the data, if the mirror lacks them or holds other data.
    """
    if entry.loader:
        module, _, function = entry.loader.rpartition(".")
        return getattr(import_module(module), function)(), None
    path = mirror / entry.mirror if mirror and entry.mirror else None
    if path is None or not path.exists():
        where = f" holds no {entry.mirror}" if mirror else " is not set"
        raise BasinError(
            f"{name}: BASIN_DATA_MIRROR{where}; get the data from {entry.url} (licence: {entry.licence}), "
            f"put them at {entry.mirror} in a folder and set BASIN_DATA_MIRROR to it, or give your own files "
            "with --data"
        )
    found = sha256_of(path)
    if not entry.accepts(found):
        raise BasinError(
            f"{name} ({path}): sha256 is {found}, expected {' or '.join(entry.sha256 or ())}; get it again, "
            "or enter its new sha256 in data/catalog.yaml"
        )
    return path, found


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, or of a folder.

    That of a folder is the hash of the lines ``name sha256`` of its files, sorted by name.
    """
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = (f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(label: str, path: Path, entry: TableSource) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        mirrored = f", or set BASIN_DATA_MIRROR to a folder that holds {entry.mirror}" if entry.mirror else ""
        raise BasinError(f"{label}: no such file; put the file there{mirrored}") from error
    except OSError as error:
        raise BasinError(f"{label}: cannot read it ({error.strerror}); make the file readable") from error


class _Bar:
    """Progress bar in the form that pooch expects, which reports to a progress callback."""

    def __init__(self, label: str, progress: Progress) -> None:
        self.label, self.progress, self.total, self.done = label, progress, 0, 0

    def update(self, amount: int) -> None:
        self.done += amount
        self.progress(self.label, self.done, max(self.total, self.done))

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Do nothing, because the receiver of the callback closes its own display."""


def _download(name: str, entry: UrlSource, root: Path, progress: Progress) -> Path:
    """Return the path of the downloaded file below ``runs/downloads``.

    It is downloaded each time, unless the catalog states a sha256 and the file already has it.
    """
    import pooch
    import requests

    target = root / "runs" / "downloads" / f"{name}.{'nc' if entry.format == 'netcdf' else 'txt'}"
    if entry.sha256 and target.is_file() and entry.accepts(_sha256(name, target, entry)):
        return target
    pooch.get_logger().setLevel("ERROR")
    with atomic_write(target) as (temporary,), TemporaryDirectory(dir=temporary.parent) as folder:
        store = pooch.create(
            path=folder,
            base_url="",
            registry={target.name: None},
            urls={target.name: entry.url},
            retry_if_failed=RETRIES,
        )
        downloader = pooch.HTTPDownloader(progressbar=_Bar(f"download {name}", progress), timeout=TIMEOUT)
        try:
            Path(store.fetch(target.name, downloader=downloader)).rename(temporary)
        except requests.RequestException as error:
            mirrored = (
                f", or set BASIN_DATA_MIRROR to a folder that holds {entry.mirror}" if entry.mirror else ""
            )
            raise BasinError(
                f"{name}: cannot download {entry.url} in {RETRIES + 1} attempts ({_reason(error)}); check "
                f"the connection and run again{mirrored}"
            ) from error
    return target


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return "no answer in time" if "Timeout" in type(error).__name__ else "no connection"
