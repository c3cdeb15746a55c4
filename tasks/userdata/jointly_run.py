"""Joint forecast of the series of a user's file, with its files."""

from pathlib import Path

from tasks.userdata.forecast_record import with_file
from tasks.userdata.jointly import for_panel
from tasks.userdata.jointly_forecast import ahead
from tasks.userdata.jointly_result import JointForecast
from tasks.userdata.progress import Stages
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.result_files import write_forecast


def forecast_panel(
    reading: Reading, request: Request, out: Path, work: Path, stages: Stages
) -> JointForecast:
    """Forecast the next step of all series as one joint density, and write its files to ``work``."""
    reading = for_panel(reading)
    found, notes = ahead(reading, request, work, stages)
    found = with_file(found, reading.kind, reading.freq, reading.table, {})
    result = JointForecast(out, found | {"notes": list(notes)}, notes)
    write_forecast(work, result, reading.unit)
    return result
