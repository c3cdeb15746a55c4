"""Stages of an application in order: ingest, validate, audit, train, evaluate, landscape, report."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.applications.harness.answers import averaged
from tasks.applications.harness.application import STAGES, Application, Given, Picture, get_application
from tasks.applications.harness.landscape import draw, log_to_tensorboard
from tasks.applications.harness.report import application_page
from tasks.applications.harness.trials import Trial, judge
from tasks.checks.check import run_checks
from tasks.checks.suites import read_suite, require
from tasks.checks.table.evidence import TableEvidence
from tasks.checks.table.labels import CHECKS
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, scratch, write_json
from tasks.runtime.outputs import claim
from tasks.runtime.parallel import ROOT, Progress, run_units, silent, single_threaded
from tasks.sources.catalog import find_dataset, load_catalog, sha256_of
from tasks.sources.entries import DatasetSource

Stages = Callable[[str, Callable[[Progress], Any]], None]
"""Function that runs a stage: ``stages(name, run)`` calls ``run(progress)`` and shows its progress."""

RESULTS = (
    "provenance.json", "validation.json", "audit.json", "model", "scores.json", "answers.csv", "landscape",
    "report.html",
)  # fmt: skip
"""Results of a run. They are reproducible to the byte."""
DOCS, EVENTS = "data_docs", "tensorboard"
"""Outputs of a run that contain times and therefore differ from run to run."""


@dataclass
class Run:
    """State of a run, which the stages pass on in memory. A stage that failed may run again.

    Results go to ``out`` and are reproducible to the byte. Outputs that contain times go to ``data_docs`` and
    to ``events``, the folder of TensorBoard.
    """

    application: Application
    given: Given
    root: Path
    out: Path
    data_docs: Path
    events: Path
    provenance: list[dict[str, Any]] = field(default_factory=list)
    examples: Any = None
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    validation: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    fitted: list[Any] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    landscape: bytes = b""
    caption: str = ""

    @property
    def stages(self) -> dict[str, Callable[[Progress], None]]:
        """Return the function of each stage by name, in order."""
        acts = (self.ingest, self.validate, self.check, self.train, self.evaluate, self.draw, self.report)
        return dict(zip(STAGES, acts, strict=True))

    def ingest(self, progress: Progress) -> None:
        """Read the user's files or those of the catalog, and write their checksums to ``provenance.json``."""
        self.provenance, sources = [], {}
        if self.given.own:
            for path in self.given.files:
                if not path.exists():
                    raise BasinError(f"{path}: no such file or folder; check the path")
                origin = {"name": path.name, "origin": "given on the command line", "licence": "not stated"}
                self.provenance.append({**origin, "sha256": sha256_of(path)})
        else:
            sources = self._sources()
        self.examples = self.application.read(self.given, sources)
        self._write("provenance.json", {"application": self.application.name, "sources": self.provenance})

    def _sources(self) -> dict[str, Any]:
        catalog = load_catalog(ROOT / "data" / "catalog.yaml")
        folder = os.environ.get("BASIN_DATA_MIRROR")
        mirror = self.root / folder if folder else None
        found = {}
        for name in self.application.sources:
            entry = catalog.get(name)
            if not isinstance(entry, DatasetSource):
                raise BasinError(f"data/catalog.yaml: no source `{name}` of kind dataset; add it")
            found[name], checksum = find_dataset(name, entry, mirror)
            record = {"name": name, "origin": entry.origin, "licence": entry.licence, "sha256": checksum}
            self.provenance.append(record)
        return found

    def validate(self, progress: Progress) -> None:
        """Check the table of examples against the expectation suite; raises ``BasinError`` if it fails."""
        self.table = self.application.table(self.examples)
        suite = read_suite(ROOT / "data" / "expectations" / f"{self.application.name}.json")
        label = ", ".join(path.name for path in self.given.files) or self.application.name
        found = require(suite, self.table, label, self.data_docs, ("example",))
        self.validation = {"success": True, "suite": suite["suite"], "expectations": found}
        self._write("validation.json", self.validation)

    def check(self, progress: Progress) -> None:
        """Run the audit of the table of examples. A failed check is reported but does not stop the run."""
        evidence = TableEvidence(self.table, self.application.spec(self.examples))
        self.audit = run_checks([c for c in CHECKS if c.id != "fairness"], evidence, progress)
        self._write("audit.json", self.audit)

    def train(self, progress: Progress) -> None:
        """Fit all models and store the energy model.

        Several seeds are fitted in parallel on Ray, and a single seed in this process, which also shows its
        progress. Both ways give the same result to the last bit.
        """
        from safetensors.torch import save_file

        if self.given.seeds == 1:
            self.fitted = [single_threaded(self.application.fit, (self.examples, 0, progress))]
        else:
            units = [(self.application, self.examples, seed) for seed in range(self.given.seeds)]
            self.fitted = run_units(_fit, units, "seeds", progress)
        tensors, config = self.application.model(self.fitted)
        signature = self.application.signature(self.examples, self.fitted)
        if signature is not None:
            config = config | {"signature": signature}
        with atomic_write(self.out / "model") as (folder,):
            folder.mkdir()
            save_file({k: t.detach().contiguous() for k, t in tensors.items()}, folder / "model.safetensors")
            write_json(folder / "config.json", {"application": self.application.name, **config})

    def evaluate(self, progress: Progress) -> None:
        """Score all models on the test part and, if answers are about persons, run the fairness check."""
        self.trials = self.application.trials(self.examples, self.fitted)
        self.scores = judge(self.trials)
        self.scores["notes"] = self.application.notes(self.examples, self.scores)
        self._write("scores.json", self.scores)
        answers = averaged(self.application.answers(self.examples, self.fitted, self.trials))
        with atomic_write(self.out / "answers.csv") as (path,):
            answers.to_csv(path, index=False, float_format="%.8g")
        about = self.application.outcomes(self.examples, self.fitted, self.trials)
        if about is not None:
            fairness = run_checks([c for c in CHECKS if c.id == "fairness"], TableEvidence(*about))
            order = ("not applicable", "pass", "warn", "fail")
            before = [check for check in self.audit["checks"] if check["id"] != "fairness"]
            self.audit = self.audit | {
                "checks": before + fairness["checks"],
                "status": max(self.audit["status"], fairness["status"], key=order.index),
            }
            self._write("audit.json", self.audit)

    def draw(self, progress: Progress) -> None:
        """Draw the energy landscape and log it with the training curves for TensorBoard."""
        scene = self.application.scene(self.examples, self.fitted)
        self.landscape = draw(scene)
        with atomic_write(self.out / "landscape") as (folder,):
            folder.mkdir()
            (folder / "landscape.png").write_bytes(self.landscape)
            write_json(folder / "landscape.json", {"file": "landscape.png", "caption": scene.caption})
        with atomic_write(self.events) as (folder,):
            log_to_tensorboard(folder, self.landscape, self.application.curves(self.fitted))
        self.caption = scene.caption

    def report(self, progress: Progress) -> None:
        """Write ``report.html``."""
        pictures = self.application.pictures(self.examples, self.fitted, self.trials)
        landscape = Picture("landscape", "The energy landscape", self.caption, self.landscape)
        html = application_page(
            self.application,
            own=self.given.own,
            scores=self.scores,
            pictures=[*pictures, landscape],
            validation=self.validation,
            audit=self.audit,
            provenance=self.provenance,
        )
        with atomic_write(self.out / "report.html") as (path,):
            path.write_text(html, encoding="utf-8")

    def _write(self, name: str, content: Any) -> None:
        with atomic_write(self.out / name) as (path,):
            write_json(path, content)


def run_application(
    name: str, given: Given, root: Path, out: Path, stages: Stages, overwrite: bool = False
) -> Run:
    """Run an application on the user's files or those of the catalog and write its results into ``out``.

    ``RESULTS`` and ``tensorboard/`` are written at the end, all together, and replace those of an earlier run
    of the same application. ``data_docs/`` is written earlier, because it shows why a run was stopped. Raises
    ``BasinError`` for errors that a user can correct. Unless ``overwrite`` is true, this includes an ``out``
    that holds other files, which are then left as they are.
    """
    if given.seeds < 1:
        raise BasinError(f"--seeds {given.seeds}: expected 1 or more")
    application = get_application(name)
    left = (*RESULTS, EVENTS)
    with claim(out, f"run --domain {name}", (*left, DOCS), overwrite), scratch(out) as work:
        run = Run(application, given, root, work, out / DOCS, work / EVENTS)
        for stage, act in run.stages.items():
            stages(stage, act)
        with atomic_write(*(out / result for result in left)) as targets:
            for result, target in zip(left, targets, strict=True):
                (work / result).rename(target)
    return run


def _fit(application: Application, examples: Any, seed: int) -> Any:
    return application.fit(examples, seed, silent)
