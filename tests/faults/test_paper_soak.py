"""Paper goes on for hours: memory flat, no task leaked, the journal replays to the same."""

from __future__ import annotations

from paper_soak import soak
from real_sessions import check_replay

MOST_MB = 8.0  # that an hour may add once everything is warm


def test_paper_neither_grows_nor_leaks_over_restarts(tmp_path):
    hours = soak(tmp_path, 3, restart_every=2)
    assert [hour.hour for hour in hours] == [1, 2, 3]
    assert len({hour.tasks for hour in hours}) == 1
    assert len({hour.sources for hour in hours}) == 1
    assert hours[0].decisions >= 50
    assert hours[2].rss_mb - hours[0].rss_mb < 2 * MOST_MB
    check_replay(tmp_path)
