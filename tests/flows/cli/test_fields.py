"""``basin field`` on files that cannot be used: one line on stderr and exit code 1, before any fit."""

from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

from flows.cli.app import app
from tests.synthetic_fields import write


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.where(d.lat > 100), "has no values"),
        (lambda d: d.isel(time=slice(0, 120)), "120 months, expected at least 240"),
        (lambda d: d.isel(time=[*range(50), *range(51, 300)]), "1904-03 is missing"),
        (lambda d: d.expand_dims(number=3), "is an ensemble"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(tmp_path: Path, change, message: str) -> None:
    data = change(xr.open_dataset(write(tmp_path / "made.nc", 300)).load())
    data.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
    given = ("field", "fit", "--data", str(tmp_path / "bad.nc"), "--out", str(tmp_path / "model"))
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.nc", "made.nc"]
