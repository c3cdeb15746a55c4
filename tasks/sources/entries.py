"""Entries of ``data/catalog.yaml``, with one pydantic model for each kind of source."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from tasks.runtime.params import Strict

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

Sums = Annotated[tuple[Sha256, ...], BeforeValidator(lambda sums: (sums,) if isinstance(sums, str) else sums)]


class Entry(Strict):
    """Fields that all sources share. The comment at the top of ``data/catalog.yaml`` explains them."""

    title: str
    licence: str
    unit: str
    frequency: Literal["B", "MS"]
    publication_lag: int = Field(ge=0)
    format: Literal["csv", "table", "netcdf", "months"]
    time: str | tuple[str, str]
    columns: dict[str, str | tuple[str, ...]] = Field(min_length=1)
    blank_rows: Literal["keep", "drop"] = "keep"
    mirror: str | None = None
    sha256: Sums | None = None

    @model_validator(mode="after")
    def _layout(self) -> "Entry":
        lists = [names for names in self.columns.values() if not isinstance(names, str)]
        if self.format == "months" and not (len(self.columns) == 1 and lists and len(lists[0]) == 12):
            raise ValueError(
                "format months needs one column name in `columns`, with a list of the twelve month columns"
            )
        if self.format != "months" and lists:
            raise ValueError(
                f"format {self.format} needs one name for each column; lists are for format months"
            )
        if self.format != "table" and self.format != "csv" and not isinstance(self.time, str):
            raise ValueError(f"format {self.format} needs a single name in `time`")
        return self

    def accepts(self, sha256: str) -> bool:
        """Return whether the catalog states this sha256, or states none."""
        return self.sha256 is None or sha256 in self.sha256


class LibrarySource(Entry):
    """Data inside an installed package. ``loader`` is the dotted name of the function that returns them."""

    kind: Literal["library"]
    package: str
    loader: str

    @property
    def origin(self) -> str:
        return self.loader


class UrlSource(Entry):
    kind: Literal["url"]
    url: str

    @property
    def origin(self) -> str:
        return self.url


class FileSource(Entry):
    """File of the user below ``data/local/``, a folder on which the stage ``ingest`` depends in DVC."""

    kind: Literal["file"]
    path: str = Field(pattern=r"^data/local/([^./][^/]*/)*[^./][^/]*$")

    @property
    def origin(self) -> str:
        return self.path


class DatasetSource(Strict):
    """Data set of examples of an application, as opposed to a time series.

    It is in an installed package, if there is a ``loader``, or a file or folder from ``url`` of which the
    mirror holds a copy. See :func:`tasks.sources.catalog.find_dataset`. The sha256 of a folder is computed
    from the names and hashes of its files.
    """

    kind: Literal["dataset"]
    title: str
    licence: str
    loader: str | None = None
    url: str | None = None
    mirror: str | None = None
    sha256: Sums | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "DatasetSource":
        if (self.loader is None) == (self.url is None):
            raise ValueError("a dataset needs either a `loader` or a `url`, and not both")
        return self

    @property
    def origin(self) -> str:
        return self.loader or str(self.url)

    def accepts(self, sha256: str) -> bool:
        """Return whether the catalog states this sha256, or states none."""
        return self.sha256 is None or sha256 in self.sha256


TableSource = LibrarySource | UrlSource | FileSource

Source = Annotated[TableSource | DatasetSource, Field(discriminator="kind")]
