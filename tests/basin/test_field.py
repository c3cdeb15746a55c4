"""Models of fields in Python, from files, datasets and arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import basin
from tasks.fields.tilt import new_energy
from tests.synthetic_fields import write

MONTHS = 480


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("fields") / "made.nc", MONTHS)


@pytest.fixture(scope="module")
def data(path: Path) -> xr.Dataset:
    return xr.load_dataset(path)


@pytest.fixture(scope="module")
def model(data: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model whose energy is not trained."""

    def train(
        shards: Path, folder: Path, name: str, mask: np.ndarray, base: Any, settings: Any, _: Any
    ) -> Any:
        return new_energy(mask, settings.width, settings.seed)

    folder = tmp_path_factory.mktemp("model") / "out"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("tasks.fields.fit.train", train)
        field = basin.field(data, until="1934-12", width=4, out=folder)
        kept = basin.field(data, until="1934-12", width=4).save(folder.with_name("kept"))
    assert "fitted to 1900-01 to 1934-12, data 1900-01 to 1939-12" in repr(field)
    assert {path.name for path in kept.iterdir()} == {path.name for path in folder.iterdir()}
    return kept


def test_arrays_datasets_and_files_are_forecast_alike(model: Path, path: Path, data: xr.Dataset) -> None:
    before = data.copy(deep=True)
    first, *others = (
        basin.field(each, model=model).forecast(draws=4)
        for each in (path, str(path), data, data["anomaly"], data["anomaly"].rename(None))
    )
    assert all(first.identical(other) for other in others) and data.identical(before)
    assert first["mean"].dims == ("init", "lead", "lat", "lon") and first["sample"].sizes["member"] == 4
    assert first["valid_time"].dt.strftime("%Y-%m").values.tolist() == [["1940-03", "1940-06"]]
    assert first["mean"].attrs["units"] == "degC" and np.isnan(first["mean"].values[..., 0, 0]).all()


def test_a_field_is_drawn_scored_and_filled(model: Path, data: xr.Dataset) -> None:
    gap = data.copy(deep=True)
    gap["anomaly"][MONTHS - 1, 2, 2] = np.nan
    field = basin.field(gap, model=model)
    assert field.sample(7, draws=3)["sample"].sizes["member"] == 3
    score = field.score()
    assert len(score) == MONTHS - 1 and list(score.columns) == ["energy", "share_as_high"]
    filled = field.fill("1939-12")
    assert np.isfinite(filled["filled"].values[2, 2]) and filled["spread"].values[2, 2] > 0
    at = field.forecast(origin="1936-02", draws=2)
    assert at["valid_time"].dt.strftime("%Y-%m").values.tolist() == [["1936-05", "1936-08"]]


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"until": "soon"}, "until soon: not a month; write it as in 1994-12"),
        ({"epochs": 0}, "epochs 0: expected 1 or more"),
        ({"variable": "sst"}, "the dataset: .*sst"),
        ({"model": "none"}, "no folder none"),
        ({"model": "none", "out": "out"}, "model excludes until and out"),
        ({"model": 3}, "model=3: expected the path of the folder of an earlier model"),
    ],
)
def test_what_is_wrong_is_one_line(data: xr.Dataset, options: dict[str, Any], refused: str) -> None:
    with pytest.raises(basin.BasinError, match=f"^{refused}"):
        basin.field(data, **options)


def test_months_that_are_none_are_refused(model: Path, data: xr.Dataset) -> None:
    field = basin.field(data, model=model)
    with pytest.raises(basin.BasinError, match="month 13: expected a calendar month, 1 to 12"):
        field.sample(13)
    with pytest.raises(basin.BasinError, match="no month 1950-01; give a month from 1900-01 to 1939-12"):
        field.forecast(origin="1950-01")
    with pytest.raises(
        basin.BasinError, match=r"^data: expected a DataArray .* convert a table with to_xarray"
    ):
        basin.field(data.to_dataframe())
