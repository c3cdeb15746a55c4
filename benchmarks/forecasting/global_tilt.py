"""Fit and store the global tilt, from which the tilts of users' price files start.

Run with ``python -m benchmarks.forecasting.global_tilt``.

The tilt is fitted on closes of seven markets together by the stages of ``basin backtest``. The fold of a year
uses only targets before that year, so it can be used for every forecast from that year on, of these or of
other markets.
"""

import json
from dataclasses import replace

import pandas as pd
from safetensors.torch import load_file, save_file

from benchmarks.forecasting.files import BUILD, MARKETS, closes, mirrored
from tasks.runtime.files import atomic_write, read_json, write_json
from tasks.tilts.global_prior import GLOBAL_TILT
from tasks.userdata.progress import without_progress
from tasks.userdata.request import Request
from tasks.userdata.run import FIT, prepare, run_stages
from tasks.userdata.sources import read

SINCE = "2000-01-01"
"""First date of the run's test block. The yearly folds begin as early as the data allow."""


def main() -> None:
    tables = {market: pd.read_csv(closes(market)) for market in MARKETS}
    # This file has nine more years of the index than the package `arch`.
    tables["sp500"] = pd.read_csv(mirrored("finance/sp500_vix_daily.csv"))[["date", "close"]]
    table = pd.concat([rows.assign(market=market) for market, rows in tables.items()])
    request = Request(
        time="date", target="close", series="market", kind="price", test_from=pd.Timestamp(SINCE).date()
    )
    reading, name = read(table, request)
    workspace, params, notes = prepare(table, reading, name, request, BUILD / "global")
    print("\n".join(notes))
    workspace = replace(workspace, own=replace(workspace.own, prior=None))
    run_stages(FIT, workspace, params, without_progress)
    folds = read_json(workspace.fits / "fits.json")["folds"]
    learned = load_file(workspace.fits / "fits.safetensors")
    kept = {name: value for name, value in learned.items() if not name.startswith("mdn/")}
    with atomic_write(GLOBAL_TILT) as (folder,):
        folder.mkdir()
        save_file(kept, folder / "fits.safetensors")
        shipped = ("fold", "origins_from", "training_rows", "path", "tilt")
        about = {market: [rows["date"].min(), rows["date"].max()] for market, rows in tables.items()}
        write_json(
            folder / "fits.json",
            {"markets": about, "folds": [{key: fold[key] for key in shipped} for fold in folds]},
        )
    print(json.dumps({fold["fold"]: [fold["capacity"], fold["weights"]["1"]] for fold in folds}))


if __name__ == "__main__":
    main()
