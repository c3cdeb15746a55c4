"""Fields on a grid: reading, the classical law, the examples of a fit, and what a model gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tasks.fields.base import BEFORE, LEADS, Base, fit_base, forecasts, seasons
from tasks.fields.coverage import coverage
from tasks.fields.examples import SHARD, from_table, known_examples, write_shards
from tasks.fields.fit import fit
from tasks.fields.model import FieldModel, inflated, judged, load_model
from tasks.fields.output import write_energies, write_filled, write_forecasts
from tasks.fields.reading import Fields, Grid, open_fields
from tasks.fields.tilt import new_energy
from tasks.fields.training import Settings
from tasks.runtime.errors import BasinError
from tests.synthetic_fields import LAT, write

MONTHS = 600


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("fields") / "made.nc", MONTHS)


@pytest.fixture(scope="module")
def fields(path: Path) -> Fields:
    return open_fields(path)


@pytest.fixture(scope="module")
def grid(fields: Fields) -> Grid:
    return fields.used()


@pytest.fixture(scope="module")
def base(fields: Fields, grid: Grid) -> Base:
    return fit_base(fields, grid)


@pytest.fixture(scope="module")
def model(fields: Fields, grid: Grid, base: Base) -> FieldModel:
    energy = new_energy(grid.mask, 4, 0)
    with torch.no_grad():
        energy.last.weight.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    found = FieldModel(
        fields.name, fields.units, "1900-01", "1949-12", grid, base, energy, (1.0, 0.5, 0.0), np.zeros(0)
    )
    return replace(found, known=np.sort(found.of_months(fields)))


def test_a_file_is_read_in_blocks_and_land_is_left_out(fields, grid, path):
    whole = xr.open_dataset(path)["anomaly"].values
    assert not grid.mask[0, 0]
    assert grid.mask.sum() == grid.mask.size - 1
    blocks = [values for _, values in fields.blocks()]
    assert len(blocks) == 2
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    (_, first), (start, second) = fields.blocks(before=9)
    np.testing.assert_array_equal(second, whole[start:])
    assert start + 9 == len(first)


def test_zarr_gives_what_netcdf_gives(fields, tmp_path):
    other = open_fields(write(tmp_path / "made.zarr", MONTHS))
    np.testing.assert_array_equal(other.read(100, 200), fields.read(100, 200))
    assert (other.months == fields.months).all()


def spoiled(path: Path, tmp_path: Path, change) -> Path:
    data = change(xr.open_dataset(path).load())
    data.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
    return tmp_path / "bad.nc"


def test_damaged_chunks_end_in_one_line(path, tmp_path):
    data = xr.open_dataset(path).load()
    data.to_netcdf(tmp_path / "cut.nc", engine="h5netcdf", encoding={"anomaly": {"zlib": True}})
    content = bytearray((tmp_path / "cut.nc").read_bytes())
    content[len(content) // 3 : len(content) // 3 * 2] = b"\xff" * (len(content) // 3 * 2 - len(content) // 3)
    (tmp_path / "cut.nc").write_bytes(content)
    with pytest.raises(BasinError, match="cannot be read"):
        open_fields(tmp_path / "cut.nc").used()


def test_every_month_is_an_aim_once_a_lead_and_its_forecast_is_made_of_earlier_months(fields, grid, base):
    counts = dict.fromkeys(range(len(LEADS)), 0)
    whole = fields.read(0, MONTHS)[:, grid.mask]
    for lead, now, before, aims, season in forecasts(fields, grid, base.normals):
        rows = [int(np.flatnonzero((whole == aim).all(axis=1))[0]) for aim in aims]
        np.testing.assert_array_equal(whole[np.array(rows) - LEADS[lead]], now)
        np.testing.assert_array_equal(whole[np.array(rows) - LEADS[lead] - BEFORE], before)
        np.testing.assert_array_equal(seasons(fields.months[rows]), season)
        counts[lead] += len(aims)
    assert counts == {lead: MONTHS - ahead - BEFORE for lead, ahead in enumerate(LEADS)}


def gappy(path: Path, tmp_path: Path, change) -> tuple[Fields, Grid, Base]:
    fields = open_fields(spoiled(path, tmp_path, change))
    grid = fields.used()
    return fields, grid, fit_base(fields, grid)


def test_a_month_with_many_gaps_is_neither_learned_from_nor_forecast(path, tmp_path):
    def gap(data):
        data["anomaly"][100, 2:5, 3:6] = np.nan
        return data

    fields, grid, base = gappy(path, tmp_path, gap)
    aims = sum(len(aims) for lead, *_, aims, _ in forecasts(fields, grid, base.normals) if lead == 1)
    assert aims == MONTHS - LEADS[1] - BEFORE - 3  # as an aim, as an origin, as what came before
    assert np.isfinite(base.patterns).all()
    assert coverage(fields, grid)[1] == "1 month with gaps in more cells: left out of the fit"


def test_a_few_gaps_in_every_month_are_filled_with_the_seasonal_mean_in_a_fit(path, tmp_path, base):
    def gaps(data):
        found = np.random.default_rng(0).random(data["anomaly"].shape) < 0.02
        data["anomaly"].values[found] = np.nan
        return data

    fields, grid, other = gappy(path, tmp_path, gaps)
    counts = [len(aims) for *_, aims, _ in forecasts(fields, grid, other.normals)]
    assert sum(counts) > 0.9 * sum(MONTHS - lead - BEFORE for lead in LEADS)
    for *fields_given, _ in forecasts(fields, grid, other.normals):
        assert all(np.isfinite(each).all() for each in fields_given[1:])
    np.testing.assert_allclose(other.spread, base.spread, rtol=0.15)
    assert any(
        "filled with the seasonal mean of the cell in the fit" in each for each in coverage(fields, grid)
    )


def test_cells_under_ice_in_winter_and_the_season_are_said(path, tmp_path):
    def ice(data):
        winter = data.time.dt.month.isin([12, 1, 2]) & (data.lat > 15)
        season = 5 * np.cos(2 * np.pi * data.time.dt.month / 12)
        return (data + 290 + season).where(~winter)

    fields = open_fields(spoiled(path, tmp_path, ice))
    notes = coverage(fields, fields.used())
    assert notes[0].startswith("1 cell without values")
    assert notes[1].startswith("8 cells with values in fewer than 95% of the months, such as sea ice")
    assert "its results are anomaly itself" in notes[2]


def test_the_base_forecasts_better_than_the_normals_and_knows_its_errors(fields, grid, base):
    squares = [np.zeros((2, base.normals.shape[1])) for _ in LEADS]
    for lead, now, before, aims, season in forecasts(fields, grid, base.normals):
        for k, mean in enumerate((base.mean(now, before, season, lead), base.normals[season])):
            squares[lead][k] += np.square(aims - mean).sum(axis=0)
    for lead, (errors, around_normals) in enumerate(squares):
        count = MONTHS - LEADS[lead] - BEFORE
        np.testing.assert_allclose(errors / count, base.spread[lead] ** 2, rtol=0.02)
        assert not lead or errors.sum() < 0.9 * around_normals.sum()


def test_a_fit_does_not_see_what_comes_after(path, fields, tmp_path):
    def later(data):
        data["anomaly"][400:] += 5
        return data

    other = open_fields(spoiled(path, tmp_path, later)).until(fields.months[399])
    early = fields.until(fields.months[399])
    one, two = (fit_base(each, each.used()) for each in (early, other))
    for name in Base.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_shards_hold_every_example_once(fields, grid, base, tmp_path):
    import pyarrow.parquet as pq

    count = write_shards(known_examples(base, fields, grid), tmp_path / "shards")
    tables = [pq.read_table(file) for file in sorted((tmp_path / "shards").iterdir())]
    assert [len(table) for table in tables[:-1]] == [SHARD] * (count - 1)
    back = [from_table(table) for table in tables]
    wanted = list(known_examples(base, fields, grid))
    for name in ("error", "context", "numbers", "lead"):
        stored = np.concatenate([getattr(part, name) for part in back])
        made = np.concatenate([getattr(part, name) for part in wanted])
        np.testing.assert_allclose(stored, made, atol=1e-6)


def test_an_energy_that_learned_nothing_gets_no_weight_and_wider_errors_are_told(fields, grid, base):
    half = replace(base, patterns=base.patterns / np.sqrt(2), local=base.local / 2)
    inflation, weights = judged(half, new_energy(grid.mask, 4, 0), fields, grid, 300, 0)
    assert weights == (0.0, 0.0, 0.0)
    assert inflation == pytest.approx([2.0] * len(LEADS), rel=0.15)
    assert np.allclose(inflated(half, np.full(3, 2.0)).spread, base.spread)


def test_samples_have_the_bases_law_where_the_energy_has_no_weight(model, fields):
    lead = LEADS.index(6)
    law = model.forecast(fields, fields.months[500], lead, 4000, 1)
    assert law.month == fields.months[506]
    assert np.allclose(law.samples.mean(0), law.mean, atol=5 * model.base.spread[lead].max() / 4000**0.5)
    assert np.allclose(law.samples.std(0), model.base.spread[lead], rtol=0.08)
    again = model.forecast(fields, fields.months[500], lead, 4000, 1)
    assert np.array_equal(law.samples, again.samples)


def test_gaps_at_the_origin_are_filled_from_the_other_cells_unless_they_are_most(model, path, tmp_path):
    def gap(data):
        data["anomaly"][500, 3, 3] = np.nan
        data["anomaly"][510, 1:] = np.nan
        return data

    whole = open_fields(path)
    fields = open_fields(spoiled(path, tmp_path, gap))
    at = fields.months[500]
    law, other = (model.forecast(each, at, 1, 2, 0) for each in (fields, whole))
    assert model.missing(fields, at) == 1
    assert 0 < np.abs(law.mean - other.mean).max() < 0.5 * model.base.spread[1].max()
    with pytest.raises(BasinError, match=r"40 of 47 cells of 1942-07 are missing, expected at most half"):
        model.forecast(fields, fields.months[510], 1, 2, 0)
    with pytest.raises(BasinError, match="no month 1899-12; give a month from 1900-01 to 1949-12"):
        model.forecast(fields, fields.months[0] - 1, 1, 2, 0)


def test_a_spoiled_month_has_a_high_energy(model, path, tmp_path):
    def spoil(data):
        data["anomaly"][300, 2:4, 2:4] += 3
        data["anomaly"][301, 5, 5] = np.nan
        return data

    energies, share = model.energies(open_fields(spoiled(path, tmp_path, spoil)))
    assert np.nanargmax(energies) == 300
    assert share[300] == 0
    assert np.isnan(energies[301]) and np.isnan(share[301])
    assert np.nanmedian(share) == pytest.approx(0.5, abs=0.02)


def test_a_model_of_months_that_all_have_gaps_has_no_usual_energy(model, fields):
    with pytest.raises(BasinError, match="no month of its fit without missing cells"):
        replace(model, known=np.zeros(0)).energies(fields)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_missing_cells_are_filled_as_surely_as_said(model, fields, grid, noise):
    rng = np.random.default_rng(3)
    standardised = []
    for month in fields.months[100:500:7]:
        truth = fields.month(month)[grid.mask]
        gap = rng.random(len(truth)) < 0.4
        seen = np.where(gap, np.nan, truth + noise * rng.standard_normal(len(truth)))
        filled, spread = model.fill(seen, month, noise)
        if not noise:
            np.testing.assert_array_equal(filled[~gap], truth[~gap])
            assert not spread[~gap].any()
        judged = gap | (noise > 0)
        standardised.append((filled - truth)[judged] / spread[judged])
    assert np.concatenate(standardised).std() == pytest.approx(1, abs=0.1)
    with pytest.raises(BasinError, match="no cell with a value"):
        model.fill(np.full(len(truth), np.nan), month)


def test_a_model_comes_back_from_its_folder_and_nothing_else_does(model, fields, tmp_path):
    model.save(tmp_path / "model")
    back = load_model(tmp_path / "model")
    one, two = (each.forecast(fields, fields.months[-1], 1, 3, 0).samples for each in (model, back))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(model.of_months(fields), back.of_months(fields))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"\x80\x04cposix\nsystem\n")
    with pytest.raises(BasinError, match="holds no model of fields"):
        load_model(tmp_path / "model")
    with pytest.raises(BasinError, match=r"model\.json is missing"):
        load_model(tmp_path)
    with pytest.raises(BasinError, match="no folder"):
        load_model(tmp_path / "model" / "model.json")


def test_values_known_almost_exactly_are_kept(model, fields, grid):
    truth = fields.month(fields.months[50])[grid.mask]
    filled, spread = model.fill(truth, fields.months[50], 1e-3)
    np.testing.assert_allclose(filled, truth, atol=5e-3)
    np.testing.assert_allclose(spread, 1e-3, rtol=0.05)


def test_a_fit_does_not_replace_what_is_not_a_model(fields, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BasinError, match=r"mine\.txt and no results of Basin"):
        fit(fields, Settings(), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_fit_to_few_of_the_months_is_refused(fields, tmp_path):
    with pytest.raises(BasinError, match=r"100 months up to 1908-04, expected at least 240.*--until"):
        fit(fields.until(fields.months[99]), Settings(), tmp_path / "model")


def test_another_grid_is_refused(model, tmp_path):
    other = open_fields(write(tmp_path / "other.nc", 250, lat=LAT + 1))
    with pytest.raises(BasinError, match="its lat is not that of the model"):
        model.check(other)


def test_results_are_written_as_grids(model, fields, tmp_path):
    laws = [model.forecast(fields, fields.months[-1], lead, 5, 0) for lead in (1, 2)]
    write_forecasts(model, laws, tmp_path / "ahead.nc")
    ahead = xr.open_dataset(tmp_path / "ahead.nc")
    assert dict(ahead.sizes) == {"init": 1, "lead": 2, "member": 5, "lat": 6, "lon": 8}
    assert ahead.attrs["Conventions"] == "CF-1.8" and ahead["lead"].attrs["units"] == "months"
    assert list(ahead["init"].values.astype("M8[D]").astype(str)) == ["1949-12-01"]
    assert ahead["valid_time"].values.astype("M8[D]").astype(str).tolist() == [["1950-03-01", "1950-06-01"]]
    for name, standard in (("valid_time", "time"), ("member", "realization"), ("lat", "latitude")):
        assert ahead[name].attrs["standard_name"] == standard
    assert np.isnan(ahead["mean"].values[0, :, 0, 0]).all()
    assert ahead["spread"].attrs["units"] == "degC" and "standard_deviation" in ahead["spread"].cell_methods
    np.testing.assert_allclose(ahead["sample"][0].std("member"), ahead["spread"][0], rtol=1e-4)
    write_forecasts(model, laws, tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == (tmp_path / "ahead.nc").read_bytes()
    named = replace(model, standard_name="sea_surface_temperature_anomaly")
    write_forecasts(named, [model.sample(1, 3, 0)], tmp_path / "januaries.nc")
    januaries = xr.open_dataset(tmp_path / "januaries.nc")
    assert dict(januaries.sizes) == {"member": 3, "lat": 6, "lon": 8}
    assert januaries["sample"].attrs["standard_name"] == "sea_surface_temperature_anomaly"
    assert write_filled(model, fields, fields.months[7], 0.1, tmp_path / "filled.nc") == 0
    filled = xr.open_dataset(tmp_path / "filled.nc")
    assert filled["filled"].dims == ("lat", "lon") and str(filled["time"].values)[:10] == "1900-08-01"
    rows = write_energies(model, fields, tmp_path / "energies.csv")
    assert len((tmp_path / "energies.csv").read_text().splitlines()) == len(rows) + 1 == MONTHS + 1
