"""Paths of the files of one domain in a project."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Workspace:
    """Paths of one domain. ``root`` is the project folder, which holds ``dvc.yaml`` and ``params.yaml``.

    Files under ``data/`` and ``artifacts/`` are DVC outputs and reproducible to the byte. Files that depend
    on the time or the machine (``run.json``, TensorBoard events) are under ``runs/``, as is the page of the
    validation.
    """

    root: Path
    domain: str
    own: Any = None
    """Domain object for a user's own file. It is None for the domains of the project, found by name."""
    strict: bool = True
    """Whether a failed check of an audit stops the run. Otherwise it is a warning."""

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts" / self.domain

    @property
    def runs(self) -> Path:
        return self.root / "runs" / self.domain

    @property
    def catalog(self) -> Path:
        return self.root / "data" / "catalog.yaml"

    @property
    def expectations(self) -> Path:
        return self.root / "data" / "expectations" / f"{self.domain}.json"

    @property
    def raw(self) -> Path:
        return self.root / "data" / "raw" / f"{self.domain}.parquet"

    @property
    def provenance(self) -> Path:
        return self.root / "data" / "raw" / f"{self.domain}.json"

    @property
    def quarantine(self) -> Path:
        return self.root / "data" / "quarantine" / f"{self.domain}.parquet"

    @property
    def inputs(self) -> Path:
        return self.root / "data" / "prepared" / self.domain / "inputs.parquet"

    @property
    def classical(self) -> Path:
        return self.root / "data" / "prepared" / self.domain / "classical.parquet"

    @property
    def validation(self) -> Path:
        return self.artifacts / "validation.json"

    @property
    def data_docs(self) -> Path:
        return self.runs / "data_docs"

    @property
    def audit(self) -> Path:
        return self.artifacts / "audit.json"

    @property
    def fits(self) -> Path:
        return self.artifacts / "fits"

    @property
    def scores(self) -> Path:
        return self.artifacts / "scores.json"

    @property
    def forecasts(self) -> Path:
        return self.artifacts / "forecasts.parquet"

    @property
    def metrics(self) -> Path:
        return self.artifacts / "metrics.json"

    @property
    def plots(self) -> Path:
        return self.artifacts / "plots"

    @property
    def landscape(self) -> Path:
        return self.artifacts / "landscape"

    @property
    def tensorboard(self) -> Path:
        return self.runs / "tensorboard"

    @property
    def forecast_audit(self) -> Path:
        return self.artifacts / "audit_forecasts.json"

    @property
    def model(self) -> Path:
        return self.artifacts / "model"

    @property
    def model_card(self) -> Path:
        return self.artifacts / "model_card.md"

    @property
    def forecast(self) -> Path:
        return self.artifacts / "forecast.json"

    @property
    def report(self) -> Path:
        return self.artifacts / "report.html"

    @property
    def run_record(self) -> Path:
        return self.runs / "run.json"
