"""Every kind of source and format, downloads against a local server, and a folder as mirror."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.sources.catalog import RETRIES, find_dataset, load_catalog, read_source, sha256_of

FRED = "observation_date,SP500\n2018-12-24,2351.10\n2018-12-25,\n2018-12-26,.\n2018-12-27,2488.83\n"
NOAA = """  YR   MON  NINO1+2  ANOM   NINO3    ANOM   NINO4    ANOM NINO3.4   ANOM
1950   1   23.01   -1.55   23.56   -2.10   26.94   -1.38   24.55   -1.99
1950  12   21.98   -0.88   23.98   -1.16   27.53   -0.94   25.29   -1.29
"""


class Server:
    """Serves ``files`` by path; ``failures`` answers with status 500 come first."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.failures = 0
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.files.get(self.path, b"")
                status = 500 if len(outer.asked) <= outer.failures else 200 if body else 404
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if status == 200 else 0))
                self.end_headers()
                if status == 200:
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    thread = threading.Thread(target=one.httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield one
    one.httpd.shutdown()
    one.httpd.server_close()
    thread.join()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, not slept."""
    import pooch.core

    pauses: list[float] = []
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=pauses.append))
    return pauses


def write_catalog(folder: Path, **changes: object) -> Path:
    """A catalog with one entry ``it``: a FRED-like close below ``data/local/it.csv`` unless changed."""
    import yaml

    entry = {
        "kind": "file",
        "title": "A close",
        "path": "data/local/it.csv",
        "licence": "open",
        "unit": "index points",
        "frequency": "B",
        "publication_lag": 0,
        "format": "csv",
        "time": "observation_date",
        "columns": {"close": "SP500"},
    } | changes
    path = folder / "catalog.yaml"
    path.write_text(yaml.safe_dump({"it": {k: v for k, v in entry.items() if v is not None}}))
    return path


def read(folder: Path, mirrored: Path | None = None, **changes: object) -> pd.DataFrame:
    return read_source("it", load_catalog(write_catalog(folder, **changes))["it"], folder, mirrored).table


def refused(folder: Path, mirrored: Path | None = None, **changes: object) -> str:
    with pytest.raises(BasinError) as caught:
        read(folder, mirrored, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def url(server: Server, text: bytes | str, **changes: object) -> dict[str, object]:
    server.files["/it"] = text.encode() if isinstance(text, str) else text
    return {"kind": "url", "url": f"{server.url}/it", "path": None, **changes}


# The project's own catalog


def test_the_shipped_sources_are_what_their_packages_publish(project_root: Path) -> None:
    catalog = load_catalog(project_root / "data" / "catalog.yaml")
    prices = read_source("sp500", catalog["sp500"], project_root).table
    assert list(prices) == ["time", "open", "high", "low", "close", "volume"]
    assert len(prices) == 5031 and prices["time"].dtype == "datetime64[ns]"
    assert prices["close"].iloc[[0, -1]].tolist() == pytest.approx([1228.10, 2506.85], abs=0.01)
    sst = read_source("elnino", catalog["elnino"], project_root).table
    assert sst["time"].tolist() == pd.date_range("1950-01-01", "2010-12-01", freq="MS").tolist()
    assert sst["sst"].iloc[[0, 1, 12, -1]].tolist() == [23.11, 24.20, 24.19, 22.07]


def test_live_sources_state_no_sha256_and_fixed_ones_do(project_root: Path) -> None:
    entries = load_catalog(project_root / "data" / "catalog.yaml")
    live = {name for name, e in entries.items() if e.kind == "url" and e.sha256 is None}
    assert live == {"fred_sp500", "fred_vix", "noaa_nino34"}
    assert all(e.sha256 for e in entries.values() if e.kind == "file")
    assert all(e.sha256 for e in entries.values() if e.kind == "dataset" and e.url)


@pytest.mark.mirror
def test_every_dataset_that_the_mirror_holds_is_the_stated_one(project_root: Path, mirror: Path) -> None:
    entries = load_catalog(project_root / "data" / "catalog.yaml")
    held = {
        n: e for n, e in entries.items() if e.kind == "dataset" and e.url and (mirror / e.mirror).exists()
    }
    for name, entry in held.items():
        assert find_dataset(name, entry, mirror)[0] == mirror / entry.mirror


def test_a_folder_is_known_by_the_names_and_contents_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("1")
    (tmp_path / "a").write_text("2")
    before = sha256_of(tmp_path)
    assert before == sha256_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    assert sha256_of(tmp_path) != before


@pytest.mark.mirror
def test_every_source_that_the_mirror_holds_is_read_from_it(project_root: Path, mirror: Path) -> None:
    held = {
        name: entry
        for name, entry in load_catalog(project_root / "data" / "catalog.yaml").items()
        if entry.kind != "dataset" and entry.mirror and (mirror / entry.mirror).is_file()
    }
    assert {"oras5_enso", "sp500_vix", "nino34_long"} <= set(held)
    for name, entry in held.items():
        source = read_source(name, entry, project_root, mirror)
        assert list(source.table) == ["time", *entry.columns]
        assert len(source.table) > 400 and entry.sha256 and entry.accepts(source.sha256)


# Formats


def test_fred_leaves_out_holidays_and_keeps_the_rest(tmp_path: Path, server: Server) -> None:
    table = read(tmp_path, **url(server, FRED, blank_rows="drop"))
    assert table["time"].dt.strftime("%m-%d").tolist() == ["12-24", "12-27"]
    assert table["close"].tolist() == [2351.10, 2488.83]
    kept = read(tmp_path, **url(server, FRED))
    assert kept["close"].isna().tolist() == [False, True, True, False]


def test_noaas_table_is_dated_by_year_and_month(tmp_path: Path, server: Server) -> None:
    change = {"format": "table", "time": ["YR", "MON"], "columns": {"sst": "NINO3.4"}, "frequency": "MS"}
    table = read(tmp_path, **url(server, NOAA, **change))
    assert table["time"].tolist() == [pd.Timestamp("1950-01-01"), pd.Timestamp("1950-12-01")]
    assert table["sst"].tolist() == [24.55, 25.29]


def test_netcdf_gives_its_variables_by_time_and_no_grids(tmp_path: Path, server: Server) -> None:
    import xarray as xr

    time = pd.date_range("1979-01-01", periods=3, freq="MS")
    nino = np.array([0.5, -0.25, np.nan], dtype="float32")
    data = xr.Dataset({"Nino34": ("time", nino), "grid": (("time", "lat"), np.zeros((3, 2)))}, {"time": time})
    data.to_netcdf(tmp_path / "it.nc", engine="h5netcdf")
    content = (tmp_path / "it.nc").read_bytes()
    change = {"format": "netcdf", "time": "time", "columns": {"nino34": "Nino34"}}
    table = read(tmp_path, **url(server, content, **change))
    assert table["time"].tolist() == time.tolist()
    np.testing.assert_array_equal(table["nino34"], nino)
    change["columns"] = {"sst": "grid"}
    assert "dimensions time, lat, expected only time" in refused(tmp_path, **url(server, content, **change))
    assert "not a readable netcdf file" in refused(tmp_path, **url(server, content[:200], **change))


def test_dates_with_a_time_zone_become_naive_utc(tmp_path: Path, server: Server) -> None:
    text = "observation_date,SP500\n2018-12-24T21:00:00Z,1\n2018-12-25T23:00:00-02:00,2\n"
    assert read(tmp_path, **url(server, text))["time"].dt.strftime("%dT%H").tolist() == ["24T21", "26T01"]


def test_a_year_of_months_becomes_twelve_rows(tmp_path: Path, server: Server) -> None:
    months = [f"M{m}" for m in range(1, 13)]
    text = (
        " ".join(["YEAR", *months]) + "\n1950 " + " ".join(map(str, range(12))) + "\n19x1" + " 0" * 12 + "\n"
    )
    change = {"format": "months", "time": "YEAR", "columns": {"sst": months}, "frequency": "MS"}
    assert "column YEAR, row 2: '19x1' is not a number" in refused(tmp_path, **url(server, text, **change))
    table = read(tmp_path, **url(server, text.replace("19x1", "1951").replace(" 11\n", " NaN\n"), **change))
    assert table["time"].tolist() == pd.date_range("1950-01-01", periods=24, freq="MS").tolist()
    np.testing.assert_array_equal(table["sst"], [*range(11), np.nan, *[0] * 12])


# Downloads


def test_a_download_survives_a_failing_server_and_shows_its_progress(
    tmp_path: Path, server: Server, naps: list[float]
) -> None:
    server.failures = 2
    seen: list[tuple[str, int, int]] = []
    entry = load_catalog(write_catalog(tmp_path, **url(server, FRED)))["it"]
    source = read_source("it", entry, tmp_path, progress=lambda *step: seen.append(step))
    assert len(source.table) == 4 and len(server.asked) == 3 and len(naps) == 2
    assert seen[-1] == ("download it", len(FRED), len(FRED))
    assert source.sha256 == hashlib.sha256(FRED.encode()).hexdigest()


def test_a_server_that_keeps_failing_is_given_up(tmp_path: Path, server: Server, naps: list[float]) -> None:
    server.failures = 99
    found = refused(tmp_path, **url(server, FRED, mirror="finance/it.csv"))
    assert len(server.asked) == RETRIES + 1
    assert f"{server.url}/it" in found and "HTTP status 500" in found
    assert "BASIN_DATA_MIRROR" in found and "finance/it.csv" in found


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path, naps: list[float]) -> None:
    found = refused(tmp_path, kind="url", url="http://127.0.0.1:9/it", path=None)
    assert "cannot download http://127.0.0.1:9/it" in found and "no connection" in found
    assert not list((tmp_path / "runs").rglob("*.*"))


def test_fixed_content_is_downloaded_once_and_live_content_each_time(tmp_path: Path, server: Server) -> None:
    sha256 = hashlib.sha256(FRED.encode()).hexdigest()
    for _ in range(2):
        read(tmp_path, **url(server, FRED, sha256=sha256))
    assert len(server.asked) == 1
    for _ in range(2):
        read(tmp_path, **url(server, FRED))
    assert len(server.asked) == 3
    (tmp_path / "runs" / "downloads" / "it.txt").write_text("damaged")
    assert len(read(tmp_path, **url(server, FRED, sha256=sha256))) == 4


def test_content_that_changed_is_refused_with_both_sums(tmp_path: Path, server: Server) -> None:
    true = hashlib.sha256(FRED.encode()).hexdigest()
    found = refused(tmp_path, **url(server, FRED, sha256="0" * 64))
    assert f"sha256 is {true}, expected {'0' * 64};" in found
    found = refused(tmp_path, **url(server, FRED, sha256=["0" * 64, "1" * 64]))
    assert f"expected {'0' * 64} or {'1' * 64};" in found
    assert len(read(tmp_path, **url(server, FRED, sha256=["0" * 64, true]))) == 4


# Mirror


def test_the_mirror_comes_before_network_file_and_package(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "finance").mkdir(parents=True)
    (mirror / "finance" / "it.csv").write_text(FRED)
    change = {"mirror": "finance/it.csv"}
    dead = {"kind": "url", "url": "http://127.0.0.1:9/it", "path": None}
    package = {"kind": "library", "package": "none", "loader": "no.such.loader", "path": None}
    for kind in (dead, package, {"path": "data/local/absent.csv"}):
        assert len(read(tmp_path, mirror, **change, **kind)) == 4
    found = refused(tmp_path, mirror, sha256="0" * 64, **change)
    assert "mirror/finance/it.csv" in found and "sha256" in found
    assert "install the package none" in refused(tmp_path, None, **package)


def test_a_mirror_without_the_file_falls_back(tmp_path: Path) -> None:
    (tmp_path / "data" / "local").mkdir(parents=True)
    (tmp_path / "data" / "local" / "it.csv").write_text(FRED)
    assert len(read(tmp_path, tmp_path / "empty", mirror="finance/it.csv")) == 4


# The catalog itself


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"licnece": "open"}, "unknown key `it.licnece`"),
        ({"kind": "ftp"}, "`it`: Input tag 'ftp'"),
        ({"publication_lag": -1}, "`it.publication_lag` = -1"),
        ({"sha256": "abc"}, "`it.sha256.0` = 'abc'"),
        ({"licence": None}, "`it.licence`"),
        ({"kind": "url", "path": None}, "no key `it.url`"),
        ({"format": "months"}, "`it`: format months needs one column name"),
        (
            {"columns": {"close": ["JAN", "FEB"]}},
            "`it`: format csv needs one name for each column",
        ),
    ],
)
def test_a_mistake_in_the_catalog_is_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    found = refused(tmp_path, **change)
    assert words in found and "catalog.yaml" in found and len(found) < 400
