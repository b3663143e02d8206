"""Explanations: what is attended, what is said, and what JSON takes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.features.families import FAMILIES
from litehedge.model.explain import (
    FAMILY_WORDS,
    Running,
    Stretch,
    attended,
    explain,
    half_of,
    percent,
    running_of,
    sentence,
)
from litehedge.model.squeeze_index import Nearest, Seen, build_index
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.labels import Squeeze
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, instant_ns

AGES = 240


# --- attention --------------------------------------------------------------------------------


def attention(*peaks, members=2):
    """Attention that lies on the ages ``(first, last, weight)`` and evenly elsewhere."""
    out = np.full((members, AGES), 1e-4)
    for first, last, weight in peaks:
        out[:, first - 1 : last] += weight / (last - first + 1)
    return out / out.sum(axis=1, keepdims=True)


def test_even_attention_stands_out_nowhere():
    assert attended(attention(), 5.0) == ()
    assert attended(np.full((3, AGES), np.nan), 5.0) == ()


def test_half_of_the_attention_lies_where_it_is_gathered():
    assert half_of(np.full((2, AGES), 1.0 / AGES), 5.0) == 5.0 * AGES / 2
    assert half_of(attention((3, 3, 0.9)), 1.0) <= 4.0
    assert np.isnan(half_of(np.full((3, AGES), np.nan), 5.0))


def test_stretches_are_found_in_minutes_ago():
    found = attended(attention((1, 4, 0.6), (40, 45, 0.3)), 5.0)
    assert [(s.from_min, s.to_min) for s in found] == [(20.0, 0.0), (225.0, 195.0)]
    assert found[0].share == pytest.approx(0.6 / 0.924, abs=0.001)
    assert found[1].share == pytest.approx(0.3 / 0.924, abs=0.001)


def test_small_gaps_do_not_part_a_stretch_and_small_shares_are_left_out():
    found = attended(attention((10, 11, 0.4), (14, 15, 0.4), (19, 20, 0.4), (90, 91, 0.04)), 1.0)
    assert [(s.from_min, s.to_min) for s in found] == [(15.0, 9.0), (20.0, 18.0)]


@given(st.lists(st.floats(0.0, 1.0), min_size=AGES, max_size=AGES), st.integers(1, 5))
def test_stretches_are_apart_and_hold_no_more_than_everything(weights, most):
    found = attended(np.array([weights]), 5.0, most)
    assert len(found) <= most
    assert sum(s.share for s in found) <= 1.0 + 1e-9
    assert [s.share for s in found] == sorted((s.share for s in found), reverse=True)
    for one in found:
        assert 0.0 <= one.to_min < one.from_min <= AGES * 5.0
        assert not any(o.to_min < one.from_min and one.to_min < o.from_min for o in found
                       if o is not one)  # fmt: skip


def test_members_are_averaged():
    one = np.concatenate((attention((1, 1, 9.0), members=1), attention((100, 100, 9.0), members=1)))
    assert [s.share for s in attended(one, 1.0)] == pytest.approx([0.5, 0.5], abs=0.01)


# --- sentences --------------------------------------------------------------------------------

FALL = Nearest(instant_ns("2021-05-19T12:45"), "long", 1324.0, 45.0, "LTCUSDT", 1.0, similarity=0.5)
RISE = Nearest(instant_ns("2023-06-30T14:00"), "short", 900.0, 20.0, "LTCUSDT", 0.9, similarity=0.6)


def test_a_sentence_says_how_likely_why_and_like_what():
    ranked = [("volatility", 2.14), ("open_interest", 1.0), ("funding", -0.7), ("btc", 0.05)]
    assert sentence("long", 0.0624, 0.008, ranked, (RISE, FALL)) == (
        "Chance that price falls in a squeeze within 30 min: 6.2 %, 7.8 times the usual 0.8 %; "
        "raised by volatility (+2.1 points) and open positions (+1.0 points), "
        "lowered by the funding rate (-0.7 points). "
        "It looks like 30 min before 2021-05-19 12:45 UTC, when price fell 12 % in 45 min."
    )


def test_a_calm_market_is_told_in_one_sentence():
    assert sentence("short", 0.0004, 0.006, [("volatility", -0.3)], (FALL,)) == (
        "Chance that price jumps in a squeeze within 30 min: under 0.1 %, below the usual 0.6 %; "
        "lowered by volatility (-0.3 points)."
    )


def test_the_other_side_has_its_own_squeezes():
    told = sentence("short", 0.02, 0.02, [], (FALL, RISE))
    assert told == (
        "Chance that price jumps in a squeeze within 30 min: 2.0 %, about the usual 2.0 %. "
        "It looks like 30 min before 2023-06-30 14:00 UTC, when price rose 9.4 % in 20 min."
    )


def test_what_is_far_is_not_called_alike():
    far = Nearest(FALL.onset_ns, "long", 1324.0, 45.0, "LTCUSDT", 9.0, similarity=0.2)
    assert "looks like" not in sentence("long", 0.1, 0.01, [], (far,))


def test_a_hundred_times_is_as_much_as_is_said():
    assert "25 %, over 100 times the usual under 0.1 %" in sentence("long", 0.25, 1e-9, [])
    assert ", 99 times the usual 0.1 %" in sentence("long", 0.099, 0.001, [])


def test_without_history_or_base_rate():
    assert sentence("long", np.nan, 0.01, []) == "Not enough history for a forecast yet."
    assert sentence("long", 0.03, np.nan, []).endswith("within 30 min: 3.0 %.")


# --- a squeeze that runs


def row_with(during=0.0, peak=0.1):
    """A forecast row in which phase and time to the peak are known."""
    row = np.full(fc.N_FORECAST, 0.01)
    row[fc.PHASE_AT : fc.VOL_AT] = (1.0 - during, 0.0, during, 0.0)
    row[fc.PEAK_AT : fc.SEVERITY_AT] = peak
    return row


def test_a_squeeze_runs_where_price_triggers_one_or_the_network_holds_it_for_likely():
    assert running_of(row_with(), (0.3, 0.2)) is None
    assert running_of(row_with(during=0.5), (0.3, 0.2)) is None
    assert running_of(row_with(), (1.0, 0.2)).side == "long"
    assert running_of(row_with(), (np.nan, 1.3)).side == "short"
    assert running_of(row_with(during=0.6), (0.3, 0.2)).side == "long"
    assert running_of(row_with(during=0.6), (0.1, 0.2)).side == "short"
    assert running_of(np.full(fc.N_FORECAST, np.nan), (2.0, 0.0)) is None


@given(st.floats(0.0, 1.0))
def test_the_times_to_the_peak_are_in_order(peak):
    found = running_of(row_with(peak=peak), (2.0, 0.0))
    assert 0.0 <= found.low_min <= found.median_min <= found.high_min
    assert len(found.row()["peak_min"]) == 3


@pytest.mark.parametrize(
    ("times", "when"),
    [
        ((3.2, 12.0, 40.4), "in 3 to 40 min, about 12."),
        ((3.2, 12.0, np.inf), "in 3 min or more, about 12."),
        ((30.0, np.inf, np.inf), "in 30 min or more."),
        ((np.inf, np.inf, np.inf), "not within 120 min."),
    ],
)
def test_a_running_squeeze_is_told_first_and_on_its_own_side(times, when):
    running = Running("long", *times)
    told = sentence("long", 0.1, 0.1, [], (), running)
    assert told.startswith(f"A squeeze seems to run: the fall should reach its low {when} Chance ")
    assert "falls in another squeeze within" in told
    assert sentence("short", 0.1, 0.1, [], (), running) == sentence("short", 0.1, 0.1, [])


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.lists(st.floats(-99, 99), max_size=6))
def test_sentences_are_short_and_plain(probability, base, points):
    ranked = sorted(zip(FAMILY_WORDS, points, strict=False), key=lambda r: -abs(r[1]))
    told = sentence("long", probability, base, ranked, (FALL,))
    assert len(told) < 400
    assert 1 <= told.count(". ") + 1 <= 2
    assert told.endswith(".")
    assert "nan" not in told
    assert "inf" not in told
    for word in ("hazard", "trunk", "Shapley", "logit", "_"):
        assert word not in told


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "under 0.1 %"), (0.001, "0.1 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (1.0, "100 %")],
)
def test_percent(share, text):
    assert percent(share) == text


def test_every_family_of_a_model_has_words():
    assert set(FAMILY_WORDS) == set(FAMILIES) - {"raw"}


# --- everything -------------------------------------------------------------------------------


def explained(**given):
    start_ns = instant_ns("2024-01-01")
    end_ns = start_ns + 5 * NS_PER_MINUTE * np.arange(1, 2_000)
    rng = np.random.default_rng(0)
    trunks = rng.normal(size=(end_ns.size, 4)).astype(np.float32)
    squeezes = [
        Squeeze("long", start_ns + d * NS_PER_DAY, 0, start_ns + d * NS_PER_DAY + NS_PER_MINUTE,
                0, 100.0, 95.0, 500.0, 5.0, 0.5, np.nan, np.nan, 2, True, True)
        for d in range(1, 6)
    ]  # fmt: skip
    mean, scale = np.zeros(4, dtype=np.float32), np.ones(4, dtype=np.float32)
    index = build_index(
        [Seen(trunks, end_ns, squeezes, "perp")], mean=mean, scale=scale,
        frame_ns=5 * NS_PER_MINUTE,
    )  # fmt: skip
    family = np.array([0, 0, 1, 2])
    window = np.concatenate((rng.normal(size=(AGES, 4)), np.zeros((AGES, 4))), axis=1)

    def probability(batch):
        logit = batch[:, -1, :3].sum(axis=1) - 4.0
        return 1.0 / (1.0 + np.exp(-np.stack((logit, -logit), axis=1)))

    return explain(
        int(end_ns[-1]), probability, window, family, ("price", "volatility", "btc"),
        attention((1, 6, 0.7)), trunks[600], index, frame_min=5.0,
        base_rate=np.array([0.01, 0.02]), seed=0, **given,
    )  # fmt: skip


def test_an_explanation_is_json():
    row = explained().row()
    again = json.loads(json.dumps(row, allow_nan=False))
    assert again == row
    long = again["sides"]["long"]
    total = sum(long["points"].values()) + long["remainder"]
    assert total == pytest.approx(100.0 * (long["probability"] - long["masked"]))
    assert set(long["points"]) == {"price", "volatility", "btc"}
    assert again["attention"][0] == Stretch(30.0, 0.0, again["attention"][0]["share"]).row()
    assert len(again["nearest"]) == 3
    assert long["sentence"].startswith("Chance that price falls")


def test_an_explanation_is_the_same_every_time_and_can_be_kept_from_the_future():
    assert explained().row() == explained().row()
    early = explained(before_ns=instant_ns("2024-01-03T12:00"))
    assert [n.row()["onset"][:10] for n in early.nearest].count("2024-01-02") == 1
    assert len(early.nearest) == 2


def test_what_is_not_known_is_none():
    row = explained(served=np.array([np.nan, 0.5])).row()
    assert row["sides"]["long"]["probability"] is None
    assert row["sides"]["long"]["sentence"] == "Not enough history for a forecast yet."
    json.dumps(row, allow_nan=False)
