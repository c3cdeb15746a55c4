"""The expected duration of a command grows with what it computes."""

from tasks.userdata.progress import START, expected_seconds


def test_the_expected_duration_grows_with_rows_peers_and_networks() -> None:
    few = expected_seconds(1000, 0, 15)
    assert START < few < expected_seconds(2000, 0, 15)
    assert few < expected_seconds(1000, 7, 15)
    assert few < expected_seconds(1000, 0, 30)
