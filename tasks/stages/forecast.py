"""Stage ``forecast``: the registered model's forecast of the steps after the last date."""

from typing import Any

import pandas as pd

from tasks.domains import get_domain
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.scoring.describe import steps_ahead
from tasks.tilts.stored import load_tilt


def forecast(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Forecast from the last origin of each series with the registered model and write ``forecast.json``.

    The file has, for each series and lead, mean, standard deviation, quantiles, density, the probability of
    each event of ``params.forecast.events`` and the weight of the tilt. A weight of 0 means the forecast of
    the base. The forecast of a return also has its value at risk and expected shortfall. The forecast of a
    level, whose inputs have a column ``normal``, is in the unit of the level, beside that of the anomaly. Its
    events are of the anomaly.
    """
    domain = get_domain(workspace)
    model = load_tilt(workspace.model)
    inputs, classical = pd.read_parquet(workspace.inputs), pd.read_parquet(workspace.classical)
    last = inputs.groupby("series", sort=False)["origin"].transform("max")
    rows = inputs[(inputs["origin"] == last) & inputs["target"].isna()].reset_index(drop=True)
    if rows.empty:
        raise BasinError(
            f"{workspace.inputs}: no origin whose target is still unknown; run the stage features again"
        )
    unit, lowest = (domain.level_unit, domain.lowest) if "normal" in rows else (domain.unit, None)
    series = steps_ahead(
        model, rows, classical, params.forecast.events, lowest, domain.returns, domain.frequency
    )
    with atomic_write(workspace.forecast) as (path,):
        write_json(path, {"unit": unit, "series": series})
    return {name: f"{part['origin']} -> {part['steps'][0]['time']}" for name, part in series.items()}
