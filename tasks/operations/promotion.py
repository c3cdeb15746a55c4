"""Promotion gate: candidate and current model are compared on recent dates that neither was fitted on."""

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
"""A candidate is refused if the t statistic of its mean gain in log score is below this value."""

STAGES = ("validate", "features", "audit", "train", "evaluate")
CODE = ("tasks", "ebm_core", "data/expectations")


@dataclass(frozen=True)
class Verdict:
    """Decision about a candidate and its reason; ``version`` is None if the model has not changed."""

    domain: str
    version: str | None
    promoted: bool
    why: str


def commit_retrained(root: Path, domains: list[str], as_of: str) -> None:
    """Commit ``params.yaml`` and ``dvc.lock`` if they have changed."""
    git(root, "add", "params.yaml", "dvc.lock")
    if git(root, "status", "--porcelain", "--", "params.yaml", "dvc.lock"):
        name, address = identity(root)
        message = f"{', '.join(domains)} on the data of {as_of}"
        git(
            root, "-c", f"user.name={name}", "-c", f"user.email={address}", "commit", "--quiet", "-m", message
        )


def decide(root: Path, domain: str) -> Verdict:
    """Register the model of the last commit and promote it, unless it is worse than the current one.

    The first version is always promoted, and a model equal to the current one is not registered. Otherwise
    :func:`compare` fits both on data before the same recent dates. The candidate, which is itself fitted on
    all data, is promoted unless the t statistic of its gain is below ``WORSE``. The reason becomes the
    message of the tag. Raises ``BasinError`` if the comparison cannot be run; use ``basin models promote`` to
    decide by hand.
    """
    held = current(root, domain)
    head = git(root, "rev-parse", "HEAD")
    if held is not None and same_model(root, domain, head, commit_of(root, domain, held)):
        return Verdict(domain, None, False, f"nothing new: the model is the same as that of {held}")
    as_of = load_params(root, domain).ingest.as_of
    version = register(root, domain, f"candidate on the data of {as_of}")
    if held is None:
        promoted, why = True, "the first version"
    else:
        promoted, why = compare(root, domain, head, held)
    assign(root, domain, version, CURRENT if promoted else REFUSED, why)
    return Verdict(domain, version, promoted, why)


def compare(root: Path, domain: str, candidate: str, held: str) -> tuple[bool, str]:
    """Return whether the commit ``candidate`` may replace the version ``held``, and the reason in one line.

    Both are run walk-forward with their own code and parameters over the recent dates (one year, or five for
    monthly series), so that each forecast comes from a fit on earlier data. The candidate is fitted on its
    own snapshot. The current version is fitted on the history of its snapshot, so that a candidate whose
    history was corrupted scores worse. Both are scored on the outcomes of the candidate's snapshot. Gains in
    log score are averaged by date, with Newey–West standard errors.
    """
    commit = commit_of(root, domain, held)
    known = get_domain(Workspace(root, domain))
    as_of = pd.Timestamp(load_params(root, domain).ingest.as_of)
    since = as_of - pd.DateOffset(years=1 if known.returns else 5)
    with TemporaryDirectory() as folder:
        new, old = _raw(root, domain, candidate, Path(folder)), _raw(root, domain, commit, Path(folder))
        spliced = pd.concat([old[old["time"] < since], new[new["time"] >= since]], ignore_index=True)
        if spliced.equals(new) and _same_procedure(root, domain, candidate, commit):
            return True, f"same code, parameters and history as {held}"
        fetch(root, candidate, f"data/raw/{domain}.json", Path(folder) / "provenance.json")
        ours = _trial(root, domain, candidate, new, since, Path(folder) / "candidate")
        theirs = _trial(root, domain, commit, spliced, since, Path(folder) / "current")
    keys = ["series", "origin", "lead", "time"]
    both = ours.merge(theirs, on=keys, suffixes=("", "_current"))
    if both.empty:
        raise BasinError(
            f"{domain}: no date since {since:%Y-%m-%d} that both {held} and the candidate forecast; decide "
            f"with `basin models promote {domain}`"
        )
    gain = both["log_density"] - both["log_density_current"]
    test = paired_test(gain.to_numpy(), both["time"], int(both["lead"].max()))
    promoted = test["t"] >= WORSE
    figures = f"{test['mean']:+.4f} nats per forecast against {held}, t {test['t']:+.1f}"
    dates = (
        f"{both['time'].nunique()} dates from {both['time'].min():%Y-%m-%d} to {both['time'].max():%Y-%m-%d}"
    )
    return promoted, f"{'not worse' if promoted else 'worse'}: {figures}, on {dates}"


def _raw(root: Path, domain: str, commit: str, folder: Path) -> pd.DataFrame:
    path = folder / f"{commit}.parquet"
    fetch(root, commit, f"data/raw/{domain}.parquet", path)
    return pd.read_parquet(path)


def _same_procedure(root: Path, domain: str, one: str, other: str) -> bool:
    """Return whether two commits would give the same model from the same data."""
    if git(root, "diff", "--name-only", one, other, "--", *CODE):
        return False
    asked = [yaml.safe_load(git(root, "show", f"{commit}:params.yaml"))[domain] for commit in (one, other)]
    return all(asked[0][part] == asked[1][part] for part in ("features", "split", "train"))


def _trial(
    root: Path, domain: str, commit: str, raw: pd.DataFrame, since: pd.Timestamp, folder: Path
) -> pd.DataFrame:
    """Return the energy model's forecasts from ``since`` on, by the code and parameters of ``commit``."""
    git(root, "worktree", "prune")
    git(root, "worktree", "add", "--detach", "--quiet", str(folder), commit)
    try:
        workspace = Workspace(folder, domain)
        last = pd.Timestamp(raw["time"].max())
        params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        params[domain]["split"] |= {"test_from": f"{since:%Y-%m-%d}", "test_to": f"{last:%Y-%m-%d}"}
        # A comparison over a short period needs no minimum of regimes or episodes in the test block.
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
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BasinError(f"{domain}: running the {folder.name} model failed in {stage}: {last[:300]}")
