"""The promotion gate: candidate and current model, fitted before the same recent dates, scored on them."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml

from tasks.domains import get_domain
from tasks.operations.registry import (
    CURRENT,
    REFUSED,
    assign,
    commit_of,
    current,
    fetch,
    git,
    identity,
    register,
    same_model,
)
from tasks.runtime.errors import BasinError
from tasks.runtime.params import load_params
from tasks.runtime.workspace import Workspace
from tasks.scoring.scores import paired_test

WORSE = -1.0
"""The one-sided t of the mean gain in log score below which a candidate is refused."""

STAGES = ("validate", "features", "audit", "train", "evaluate")
CODE = ("tasks", "ebm_core", "data/expectations")


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate, and why; ``version`` is None where there was nothing new."""

    domain: str
    version: str | None
    promoted: bool
    why: str


def commit_retrained(root: Path, domains: list[str], as_of: str) -> None:
    """Commit ``params.yaml`` and ``dvc.lock`` as they are now; nothing where nothing changed."""
    git(root, "add", "params.yaml", "dvc.lock")
    if git(root, "status", "--porcelain", "--", "params.yaml", "dvc.lock"):
        name, address = identity(root)
        message = f"{', '.join(domains)} on the data of {as_of}"
        git(
            root, "-c", f"user.name={name}", "-c", f"user.email={address}", "commit", "--quiet", "-m", message
        )


def decide(root: Path, domain: str) -> Verdict:
    """Register the model of the last commit and promote it, unless it is worse than the current one.

    The first version is promoted. One with the very model of the current version is not registered. Else both
    are fitted before the same recent dates (`compare`), and the candidate, itself fitted on all data, is
    promoted unless its one-sided t is below ``WORSE``. The reason is the message of the tag. Raises
    ``BasinError`` where a trial cannot be run: a person decides then, with ``basin models promote``.
    """
    held = current(root, domain)
    head = git(root, "rev-parse", "HEAD")
    if held is not None and same_model(root, domain, head, commit_of(root, domain, held)):
        return Verdict(domain, None, False, f"nothing new: the model is that of {held}")
    as_of = load_params(root, domain).ingest.as_of
    version = register(root, domain, f"candidate on the data of {as_of}")
    if held is None:
        promoted, why = True, "the first version"
    else:
        promoted, why = compare(root, domain, head, held)
    assign(root, domain, version, CURRENT if promoted else REFUSED, why)
    return Verdict(domain, version, promoted, why)


def compare(root: Path, domain: str, candidate: str, held: str) -> tuple[bool, str]:
    """Whether the commit ``candidate`` may replace the version ``held``, and the reason in one line.

    Each is run by its own code and parameters, walk-forward, so that every forecast of the recent dates (one
    year; five of monthly series) comes from a fit before it. The candidate knows its own past; the current
    version knows the past as it was when it was made, so that a snapshot whose history went wrong is seen.
    Both meet the outcomes of the candidate's snapshot. Gains in log score are averaged by date, with
    Newey–West errors.
    """
    commit = commit_of(root, domain, held)
    known = get_domain(Workspace(root, domain))
    as_of = pd.Timestamp(load_params(root, domain).ingest.as_of)
    since = as_of - pd.DateOffset(years=1 if known.returns else 5)
    with TemporaryDirectory() as folder:
        new, old = _raw(root, domain, candidate, Path(folder)), _raw(root, domain, commit, Path(folder))
        spliced = pd.concat([old[old["time"] < since], new[new["time"] >= since]], ignore_index=True)
        if spliced.equals(new) and _same_procedure(root, domain, candidate, commit):
            return True, f"same code, parameters and past as {held}"
        fetch(root, candidate, f"data/raw/{domain}.json", Path(folder) / "provenance.json")
        ours = _trial(root, domain, candidate, new, since, Path(folder) / "candidate")
        theirs = _trial(root, domain, commit, spliced, since, Path(folder) / "current")
    keys = ["series", "origin", "lead", "time"]
    both = ours.merge(theirs, on=keys, suffixes=("", "_current"))
    if both.empty:
        raise BasinError(f"{domain}: no recent date that both {held} and the candidate forecast")
    gain = both["log_density"] - both["log_density_current"]
    test = paired_test(gain.to_numpy(), both["time"], int(both["lead"].max()))
    promoted = test["t"] >= WORSE
    figures = f"{test['mean']:+.4f} nats a forecast against {held}, t {test['t']:+.1f}"
    dates = (
        f"{both['time'].nunique()} dates from {both['time'].min():%Y-%m-%d} to {both['time'].max():%Y-%m-%d}"
    )
    return promoted, f"{'not worse' if promoted else 'worse'}: {figures}, on {dates}"


def _raw(root: Path, domain: str, commit: str, folder: Path) -> pd.DataFrame:
    path = folder / f"{commit}.parquet"
    fetch(root, commit, f"data/raw/{domain}.parquet", path)
    return pd.read_parquet(path)


def _same_procedure(root: Path, domain: str, one: str, other: str) -> bool:
    """Whether two commits differ in nothing that makes a model but their data."""
    if git(root, "diff", "--name-only", one, other, "--", *CODE):
        return False
    asked = [yaml.safe_load(git(root, "show", f"{commit}:params.yaml"))[domain] for commit in (one, other)]
    return all(asked[0][part] == asked[1][part] for part in ("features", "split", "train"))


def _trial(
    root: Path, domain: str, commit: str, raw: pd.DataFrame, since: pd.Timestamp, folder: Path
) -> pd.DataFrame:
    """The energy model's forecasts from ``since`` on, by the code and parameters of ``commit`` on ``raw``."""
    git(root, "worktree", "prune")
    git(root, "worktree", "add", "--detach", "--quiet", str(folder), commit)
    try:
        workspace = Workspace(folder, domain)
        last = pd.Timestamp(raw["time"].max())
        params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        params[domain]["split"] |= {"test_from": f"{since:%Y-%m-%d}", "test_to": f"{last:%Y-%m-%d}"}
        # What a year must hold to be judged is not asked of a comparison.
        params[domain]["audit"] |= {"look_ahead_cuts": 1, "min_regime_share": 0.0, "min_episodes": 1}
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        workspace.raw.parent.mkdir(parents=True, exist_ok=True)
        raw.to_parquet(workspace.raw, index=False)
        shutil.copy(folder.parent / "provenance.json", workspace.provenance)
        for stage in STAGES:
            _run(folder, stage, domain)
        forecasts = pd.read_parquet(workspace.forecasts)
    finally:
        git(root, "worktree", "remove", "--force", str(folder))
    return forecasts[forecasts["model"] == "ebm"]


def _run(folder: Path, stage: str, domain: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tasks", stage, "--domain", domain],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        raise BasinError(f"{domain}: the trial of {folder.name} failed in {stage}: {last[:300]}")
