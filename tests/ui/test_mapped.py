"""What the map says: amounts as they were heard, the estimate as an estimate, feeds as they are."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from litehedge.effects import Watched
from litehedge.market import events as ev
from litehedge.risk.parachute import WATCHES, Watch
from litehedge.squeeze.heatmap import Course, Heat, Worth, heat_of, score
from litehedge.ui import mapped
from litehedge.ui.seen import Seen
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND

T = 1_767_571_200 * NS_PER_SECOND


def seen(*events: ev.AnyEvent) -> Seen:
    made = Seen("s")
    made.take(events)
    return made


def course(minutes: int = 300) -> Course:
    made = Course()
    for i in range(minutes):
        now = T + i * NS_PER_MINUTE
        price = 80.0 + math.sin(i / 20.0)
        made.push(ev.OpenInterest(now, now, 1e6 + 100.0 * i))
        made.push(ev.Mark(now, now, price))
    return made


def test_an_empty_session_says_so_everywhere():
    said = mapped.says(seen())
    assert said["map_interest_more"] == "not told yet"
    assert said["map_funding"] == [{"text": "no venue has told yet"}]
    assert said["map_bid_mid"] == "-"
    assert "No watch is open" in said["map_watches"][0]["text"]
    json.dumps(said, allow_nan=False)


def test_depth_is_told_for_each_band_and_the_longest_bar_is_the_most():
    said = mapped.says(seen(ev.Book(T, T, 79.99, 80.01, 4e6, 1e6, 1e5, 2e5)))
    assert (said["map_bid_mid"], said["map_ask_mid"]) == ("$4.0M", "$1.0M")
    assert (said["map_bid_near"], said["map_bid_far"]) == ("$100.0k", "-")
    assert said["map_bid_mid_wide"] == 100.0
    assert said["map_bid_far_wide"] == 0.0
    assert said["map_spread"] == "spread 2.5 bps"


def test_forced_closings_of_the_last_hour_are_summed_and_feeds_not_added_up():
    hour = 60 * NS_PER_MINUTE
    said = mapped.says(
        seen(
            ev.Liquidation(T - 2 * hour, T - 2 * hour, "long", 9e6),
            ev.Liquidation(T, T, "long", 2e6),
            ev.Liquidation(T, T, "short", 5e3),
            ev.Liquidation(T, T, "long", 1e6, "largest"),
        )
    )
    assert (said["map_forced_long"], said["map_forced_short"]) == ("$2.0M", "$5.0k")
    assert [line["more"] for line in said["map_forced"]] == ["$2.0M", "$5.0k"]


def test_funding_says_who_pays_and_the_own_venue_comes_first():
    lines = mapped.funding(
        seen(
            ev.PredictedFunding(T, T, "okx", -1e-4), ev.PredictedFunding(T, T, "own", 1e-4),
        )
    )  # fmt: skip
    assert [line["text"] for line in lines] == [
        "+0.0100% per 8 h, longs pay", "-0.0100% per 8 h, shorts pay",
    ]  # fmt: skip


@pytest.mark.parametrize("watch", list(Watch))
def test_an_open_watch_is_told_with_its_meaning_and_what_is_done(watch):
    (line,) = mapped.watches(seen(Watched(T, watch.value, True, "measured")))
    assert WATCHES[watch].meaning in line["text"]
    assert line["text"].split("; ")[-1]
    assert line["state"] == "bad"


def test_sources_are_those_of_long_ago_and_what_changed_since():
    before = {
        "a": ev.FeedHealth(T, T, "a", "ok"), "b": ev.FeedHealth(T, T, "b", "ok"),
    }  # fmt: skip
    now = seen(ev.FeedHealth(T + 9, T + 9, "b", "down", "reset", 3, 1))
    lines = mapped.sources(now, before)
    assert [line["text"] for line in lines] == ["b: down, reset", "a: ok"]
    assert lines[0]["more"].startswith("3 bad messages, failed 1 times, since")
    assert "told nothing" in mapped.sources(seen(), {})[0]["text"]


def test_the_picture_has_a_cell_for_what_is_estimated_and_one_scale_in_usd():
    known = course()
    heat = heat_of(known)
    assert heat is not None
    option = mapped.heat_option(heat, known)
    cells = option["series"][0]["data"]
    columns, rows = len(option["xAxis"]["data"]), len(option["yAxis"]["data"])
    assert cells
    assert all(0 <= x < columns and 0 <= y < rows and v > 0 for x, y, v in cells)
    assert len(option["series"][1]["data"]) == columns
    assert option["visualMap"]["text"][0].startswith("$")
    assert option["series"][0]["name"] == "estimated USD"
    json.dumps(option, allow_nan=False)
    json.dumps(mapped.interest_option(known), allow_nan=False)
    below, above = mapped.nearest_levels(heat, 80.0)
    assert (below["time"], above["time"]) == ("longs", "shorts")
    assert below["more"].startswith("-")
    assert above["more"].startswith("+")


def test_what_was_never_tested_is_not_praised():
    said = mapped.worth(score(course()))
    assert said.startswith("Not yet tested here")
    said = mapped.worth(Worth(0.61, 0.52, 3.2e6, 9))
    assert said.startswith("Of $3.2M that was really liquidated here, 61% fell into")
    assert "a guess gets 52% (9 tests)" in said


def test_a_flat_heat_is_drawn_too():
    flat = Heat(np.array([T]), np.linspace(70, 90, 10), np.zeros((1, 10)))
    made = Course([T], [80.0], [80.0], [80.0], [1e6])
    assert mapped.heat_option(flat, made)["series"][0]["data"] == []
