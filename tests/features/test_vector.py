"""The feature vector's contract, and its formulas against plain NumPy and Polars."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.features.vector import FAMILIES, INDEX, NAMES, FeatureSchema, FeatureStream
from litehedge.feeds.replay import EventArrays
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from synthetic import (
    Crash,
    Market,
    bitcoin,
    everything,
    feeds,
    funding,
    largest,
    liquidations,
    market,
    open_interest,
)

Floats = NDArray[np.float64]

MINUTE = NS_PER_MINUTE
SECOND = NS_PER_SECOND


@pytest.fixture(scope="module")
def minutes() -> Market:
    return market(3_200, seed=11, vol=0.0008, crashes=(Crash(3_000, 20, 0.06),))


@pytest.fixture(scope="module")
def frames(minutes: Market) -> Frames:
    return everything(minutes).frames()


@pytest.fixture(scope="module")
def features(frames: Frames) -> Floats:
    return FeatureStream(MINUTE).batch(frames)


@pytest.fixture(scope="module")
def fine() -> Frames:
    """Frames of a minute, rolled from 5-second atoms."""
    own = market(12 * 1_600, seed=12, bar_ns=5 * SECOND, vol=0.0008)
    return everything(own).frames(12)


def taken(frames: Frames, which: slice | NDArray[np.bool_]) -> Frames:
    return replace(frames, end_ns=frames.end_ns[which], values=frames.values[which])


def streamed(frames: Frames) -> Floats:
    stream = FeatureStream(frames.atom_ns, frames.per_frame)
    pairs = zip(frames.end_ns.tolist(), frames.values, strict=True)
    return np.array([stream.advance(end, row) for end, row in pairs])


def assert_same_bits(one: Floats, other: Floats) -> None:
    if one.tobytes() != np.ascontiguousarray(other).tobytes():
        np.testing.assert_array_equal(one, other)
        raise AssertionError("equal numbers, other bits")


# --- streaming --------------------------------------------------------------------------------


def test_streaming_equals_batch_bit_for_bit(frames: Frames, features: Floats) -> None:
    assert_same_bits(streamed(frames), features)


def test_streaming_equals_batch_with_twelve_phases(fine: Frames) -> None:
    assert fine.per_frame == 12
    assert_same_bits(streamed(fine), FeatureStream(5 * SECOND, 12).batch(fine))


@pytest.mark.parametrize("cut", [1, 700, 1441, 3_100])
def test_a_data_set_may_come_in_chunks(frames: Frames, features: Floats, cut: int) -> None:
    stream = FeatureStream(MINUTE)
    parts = [stream.batch(taken(frames, s)) for s in (slice(0, cut), slice(cut, None))]
    assert_same_bits(np.concatenate(parts), features)


@pytest.mark.parametrize("phase", [0, 5, 11])
def test_a_phase_is_a_stream_of_its_own(fine: Frames, phase: int) -> None:
    """Phase p of 12 equals a lone 60-second stream that sees nothing but its frames."""
    mine = fine.phases == phase
    together = FeatureStream(5 * SECOND, 12).batch(fine)[mine]
    alone = taken(fine, mine)
    alone = replace(alone, atom_ns=MINUTE, per_frame=1)
    assert_same_bits(FeatureStream(MINUTE).batch(alone), together)
    assert np.isfinite(together[-1, fv.LOG_SIGMA])


@pytest.mark.parametrize("take", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_where_the_original_was(frames: Frames, features: Floats, take) -> None:  # type: ignore[no-untyped-def]
    original = FeatureStream(MINUTE)
    original.batch(taken(frames, slice(0, 2_000)))
    other = take(original)
    rest = taken(frames, slice(2_000, None))
    assert_same_bits(other.batch(rest), features[2_000:])
    assert_same_bits(original.batch(rest), features[2_000:])


def test_memory_is_bounded(frames: Frames) -> None:
    stream = FeatureStream(MINUTE)
    stream.batch(taken(frames, slice(0, 10)))
    early = len(pickle.dumps(stream))
    stream.batch(taken(frames, slice(10, None)))
    assert len(pickle.dumps(stream)) == early


def test_a_vector_that_was_given_away_stays_as_it_is(frames: Frames) -> None:
    stream = FeatureStream(MINUTE)
    first = stream.advance(int(frames.end_ns[0]), frames.values[0])
    before = first.copy()
    stream.advance(int(frames.end_ns[1]), frames.values[1])
    assert_same_bits(first, before)


# --- warming up, gaps, missing feeds ----------------------------------------------------------

DAY = 1_440  # frames of a minute; moves need one frame more
WARM = {
    **dict.fromkeys(FAMILIES["price"] + FAMILIES["volatility"] + FAMILIES["btc"], DAY),
    "down_share_60m": 180, "down_share_240m": 720, "jumpiness_60m": 180,
    "volume_15m": DAY - 1, "volume_60m": DAY - 1, "volume_1440m": DAY - 1, "volume_frame": 179,
    "flow_15m": 45, "flow_60m": 180, "illiquidity": DAY,
    "squeezing_down": 15, "squeezing_up": 15, "squeezed_down": 254, "squeezed_up": 254,
    "since_down": 2 * DAY, "since_up": 2 * DAY,
    **dict.fromkeys(FAMILIES["funding"] + FAMILIES["calendar"] + FAMILIES["age"], 0),
    "oi_60m": 60, "oi_240m": 240, "oi_1440m": DAY, "oi_turnover": DAY - 1,
    "btc_corr": 720, "btc_beta": 720,
    **{
        name: 44 if name.endswith("15m") else 179
        for name in FAMILIES["liquidations"] + FAMILIES["largest_liquidations"]
    },
    **dict.fromkeys(FAMILIES["book"] + FAMILIES["premium"] + FAMILIES["funding_venues"], 0),
    **dict.fromkeys(FAMILIES["feed_age"], 0),
    "depth_1440m": DAY - 1, "depth_week": DAY - 1,
    "long_short": 0, "long_short_60m": 60, "long_short_240m": 240,
    "whales_60m": DAY - 1, "whales_240m": DAY - 1,
    "sentiment": 5, "age_sentiment": 5,  # minutes late
    "move_15m": 15, "vol_rule": 60, "volume_per_min": 179, "depth_usdt": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nothing_until_exactly_warm_and_finite_ever_after(name: str, features: Floats) -> None:
    column = features[:, INDEX[name]]
    assert np.isnan(column[: WARM[name]]).all()
    assert np.isfinite(column[WARM[name] :]).all()


def test_the_stated_warm_up_is_that_of_the_slowest_feature() -> None:
    slowest = max(frames for name, frames in WARM.items() if not name.startswith("since"))
    assert FeatureSchema(MINUTE).warm_up_ns == (slowest + 1) * MINUTE


@pytest.mark.parametrize("hole", [slice(1_500, 1_501), slice(1_500, 1_700)])
def test_after_a_gap_it_is_as_new(minutes: Market, hole: slice) -> None:
    broken = everything(minutes.without(hole)).frames()
    after = broken.end_ns >= minutes.end_ns[hole.stop]
    whole = FeatureStream(MINUTE).batch(broken)
    fresh = FeatureStream(MINUTE).batch(taken(broken, after))
    assert_same_bits(whole[after], fresh)
    assert np.isnan(whole[after][:DAY, fv.LOG_SIGMA]).all()
    silent = np.isnan(broken.values[:, sc.CLOSE])
    assert silent.any()
    assert np.isnan(whole[silent]).all()


def companions_of(minutes: Market) -> dict[str, EventArrays]:
    forced = liquidations(minutes)
    return {
        "btc": bitcoin(minutes), "funding": funding(minutes),
        "open_interest": open_interest(minutes), "liquidations": forced,
        "largest_liquidations": largest(forced), **feeds(minutes),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        ("btc", {*FAMILIES["btc"], "age_btc"}),
        ("funding", {"funding_bps", "funding_mean_bps", "age_funding"}),
        ("open_interest", {*FAMILIES["open_interest"], "age_oi"}),
        ("liquidations", {*FAMILIES["liquidations"], "age_liquidations"}),
        (
            "largest_liquidations",
            {*FAMILIES["largest_liquidations"], "age_largest_liquidations"},
        ),
        ("book", {*FAMILIES["book"], "age_book", "depth_usdt"}),
        ("mark", {"mark_premium_bps", "age_mark"}),
        ("index", {*FAMILIES["premium"], "age_index"}),
        ("long_short_ratio", {*FAMILIES["crowd"], "age_long_short_ratio"}),
        ("transfers", {*FAMILIES["whales"], "age_transfers"}),
        ("sentiment", {"sentiment", "age_sentiment"}),
        ("funding_own", {*FAMILIES["funding_venues"], "age_funding_own"}),
    ],
)
def test_a_missing_feed_is_nan_in_its_own_family_only(
    minutes: Market, features: Floats, missing: str, lost: set[str]
) -> None:
    companions = companions_of(minutes)
    companions.pop(missing)
    got = FeatureStream(MINUTE).batch(minutes.events(*companions.values()).frames())
    gone = [INDEX[name] for name in NAMES if name in lost]
    rest = [INDEX[name] for name in NAMES if name not in lost]
    assert np.isnan(got[:, gone]).all()
    assert_same_bits(got[:, rest].copy(), features[:, rest].copy())


def test_another_venue_that_is_lost_is_not_averaged(minutes: Market) -> None:
    companions = companions_of(minutes)
    at = INDEX["funding_elsewhere_bps"]
    for venue, left in (("funding_bybit", "funding_okx"), ("funding_okx", None)):
        companions.pop(venue)
        got = FeatureStream(MINUTE).batch(minutes.events(*companions.values()).frames())
        if left is None:
            assert np.isnan(got[:, at]).all()
        else:
            gap = companions[left].values[:, 1] - companions["funding_own"].values[:, 1]
            np.testing.assert_allclose(got[:, at], gap * 1e4)


@pytest.mark.parametrize(
    ("feed", "name", "minutes_fresh"),
    [
        ("book", "imbalance", 1), ("index", "premium_bps", 1), ("mark", "mark_premium_bps", 1),
        ("funding_own", "funding_predicted_bps", 10), ("long_short_ratio", "long_short", 30),
        ("sentiment", "sentiment", 180), ("liquidations", "liq_long_60m", 360),
    ],
)  # fmt: skip
def test_what_a_feed_told_last_is_used_only_while_it_is_fresh(
    minutes: Market, feed: str, name: str, minutes_fresh: int
) -> None:
    companions = companions_of(minutes)
    stream = companions[feed]
    early = stream.known_ns < minutes.end_ns[2_500]
    last_ns = int(stream.known_ns[early][-1])
    companions[feed] = replace(
        stream, kinds=stream.kinds[early], event_ns=stream.event_ns[early],
        known_ns=stream.known_ns[early], values=stream.values[early],
    )  # fmt: skip
    frames = minutes.events(*companions.values()).frames()
    got = FeatureStream(MINUTE).batch(frames)[:, INDEX[name]]
    stale = np.isnan(got) & (frames.end_ns > last_ns)
    first_stale = int(frames.end_ns[stale][0])
    assert abs((first_stale - last_ns) / MINUTE - minutes_fresh) <= 2.0
    assert np.isnan(got[frames.end_ns >= first_stale]).all()


def test_a_feed_that_stops_turns_nan_while_its_age_grows(minutes: Market) -> None:
    """Bitcoin at the first bar without it, open interest after half an hour."""
    dies = minutes.end_ns[2_500]
    companions = []
    for stream in (bitcoin(minutes), open_interest(minutes)):
        early = stream.known_ns <= dies
        companions.append(
            replace(
                stream, kinds=stream.kinds[early], event_ns=stream.event_ns[early],
                known_ns=stream.known_ns[early], values=stream.values[early],
            )
        )  # fmt: skip
    got = FeatureStream(MINUTE).batch(minutes.events(*companions).frames())
    assert np.isfinite(got[2_500, INDEX["btc_ret_60m"]])
    assert np.isnan(got[2_501:, [INDEX[n] for n in FAMILIES["btc"]]]).all()
    assert np.isfinite(got[2_529, INDEX["oi_60m"]])
    assert np.isnan(got[2_530:, INDEX["oi_60m"]]).all()
    assert np.isfinite(got[2_530:, INDEX["oi_1440m"]]).all()
    assert np.all(np.diff(got[2_500:, INDEX["age_btc"]]) > 0.0)
    assert got[2_560, INDEX["age_btc"]] == pytest.approx(np.log1p(60.0))


# --- scales and identity ----------------------------------------------------------------------


def test_the_price_level_does_not_matter(minutes: Market, features: Floats) -> None:
    dear = minutes.bars.copy()
    dear[:, :4] *= 10.0
    got = FeatureStream(MINUTE).batch(everything(replace(minutes, bars=dear)).frames())
    got, expected = without_amounts(got), without_amounts(features)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-7)


def test_the_volume_level_shows_only_where_it_must(minutes: Market, features: Floats) -> None:
    busy = minutes.bars.copy()
    busy[:, 4] *= 7.0
    got = FeatureStream(MINUTE).batch(everything(replace(minutes, bars=busy)).frames())
    expected = features.copy()
    expected[:, INDEX["volume_per_min"]] *= 7.0
    expected[:, INDEX["oi_turnover"]] -= np.log(7.0)
    got, expected = without_amounts(got), without_amounts(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def without_amounts(features: Floats) -> Floats:
    """All features but those that compare USDT of a feed of its own with USDT traded."""
    amounts = {
        name
        for family in ("liquidations", "largest_liquidations", "whales")
        for name in FAMILIES[family]
    }
    return features[:, [INDEX[name] for name in NAMES if name not in amounts]]


def test_the_level_of_amounts_does_not_matter(minutes: Market, features: Floats) -> None:
    """Seven times the volume, forced orders and transfers, in a book seven times as deep."""
    busy = minutes.bars.copy()
    busy[:, 4] *= 7.0
    companions = companions_of(minutes)
    for feed, columns in (
        ("liquidations", slice(0, 2)), ("largest_liquidations", slice(0, 2)),
        ("transfers", slice(0, 1)), ("book", slice(2, 8)),
    ):  # fmt: skip
        values = companions[feed].values.copy()
        values[:, columns] *= 7.0
        companions[feed] = replace(companions[feed], values=values)
    events = replace(minutes, bars=busy).events(*companions.values())
    got = FeatureStream(MINUTE).batch(events.frames())
    chosen = [
        INDEX[name]
        for family in ("liquidations", "largest_liquidations", "whales", "book")
        for name in FAMILIES[family]
    ]
    np.testing.assert_allclose(got[:, chosen], features[:, chosen], rtol=1e-9, atol=1e-9)


def test_the_hash_tells_frame_lengths_versions_and_columns_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    minute = FeatureSchema(MINUTE).hash
    assert FeatureSchema(5 * MINUTE).hash != minute
    assert FeatureStream(5 * SECOND, 12).schema.hash == minute
    assert FeatureSchema(MINUTE).names == NAMES
    with monkeypatch.context() as change:
        change.setattr(fv, "VERSION", fv.VERSION + 1)
        assert FeatureSchema(MINUTE).hash != minute
    with monkeypatch.context() as change:
        change.setattr(fv, "NAMES", NAMES[::-1])
        assert FeatureSchema(MINUTE).hash != minute
    with monkeypatch.context() as change:
        change.setattr(sc, "COLUMNS", sc.COLUMNS[1:])
        assert FeatureSchema(MINUTE).hash != minute
    assert FeatureSchema(MINUTE).hash == minute


def test_names_and_families_agree() -> None:
    assert len(set(NAMES)) == len(NAMES) == fv.N_FEATURES
    assert set(WARM) == set(NAMES)
    assert NAMES[fv.VOL_RULE] == "vol_rule"
    assert NAMES[fv.FUNDING_BPS] == "funding_bps"


# --- formulas ---------------------------------------------------------------------------------


def ewm(x: Floats, half_life: float) -> Floats:
    series = pl.Series(x).fill_nan(None)
    mean = series.ewm_mean(half_life=half_life, adjust=True, ignore_nulls=True)
    return mean.forward_fill().to_numpy()


@pytest.mark.parametrize("at", [1_500, 3_010, 3_199])
def test_formulas(frames: Frames, features: Floats, at: int) -> None:
    values = frames.values[: at + 1]
    close, high, low, volume = (values[:, c] for c in (sc.CLOSE, sc.HIGH, sc.LOW, sc.VOLUME))
    btc = values[:, sc.BTC_CLOSE]
    log = np.log(close)
    r = np.concatenate(([np.nan], np.diff(log)))
    rb = np.concatenate(([np.nan], np.diff(np.log(btc))))
    sigma = np.sqrt(ewm(r**2, 10 * 1440.0))
    btc_sigma = np.sqrt(ewm(rb**2, 10 * 1440.0))[-1]
    s = sigma[-1]
    beta = ewm(r * rb, 1440.0)[-1] / ewm(rb**2, 1440.0)[-1]
    down = np.where(r < 0, r**2, np.where(np.isnan(r), np.nan, 0.0))
    up = np.where(r > 0, r**2, np.where(np.isnan(r), np.nan, 0.0))
    signed = np.sign(r) * volume
    before = np.concatenate((np.full(15, np.nan), log[:-15]))
    sigma_then = np.where(np.arange(at + 1) >= DAY, sigma, 0.0)
    limit = np.maximum(0.015, 4 * sigma_then * np.sqrt(15.0))
    fell = (before - np.log(low)) / limit
    fired = np.where(np.isnan(fell), np.nan, (fell >= 1.0).astype(float))
    oi = np.log(values[:, sc.OPEN_INTEREST])
    week = ewm(volume, 7 * 1440.0)[-1]
    illiquid = np.abs(r) / (volume * close)
    bids, asks = values[:, sc.BID_DEPTH], values[:, sc.ASK_DEPTH]
    near = values[-1, sc.BID_DEPTH_NEAR] + values[-1, sc.ASK_DEPTH_NEAR]
    net = values[:, sc.TRANSFERS_IN] - values[:, sc.TRANSFERS_OUT]
    expected = {
        "ret_frame": r[-1] / s,
        "ret_60m": (log[-1] - log[-61]) / (s * np.sqrt(60)),
        "ret_1440m": (log[-1] - log[-1441]) / (s * np.sqrt(1440)),
        "fall_240m": (log[-1] - np.log(high[-240:].max())) / (s * np.sqrt(240)),
        "rise_60m": (log[-1] - np.log(low[-60:].min())) / (s * np.sqrt(60)),
        "log_sigma": np.log(s),
        "vol_15m": np.log(np.sqrt(ewm(r**2, 15.0)[-1]) / s),
        "vol_1440m": np.log(np.sqrt(ewm(r**2, 1440.0)[-1]) / s),
        "range_vol_60m": np.log(
            np.sqrt(ewm(np.log(high / low) ** 2 / (4 * np.log(2)), 60.0)[-1]) / s
        ),
        "down_share_60m": (ewm(down, 60.0)[-1] - ewm(up, 60.0)[-1]) / ewm(down + up, 60.0)[-1],
        "jumpiness_60m": np.log(ewm(np.abs(r), 60.0)[-1] / np.sqrt(ewm(r**2, 60.0)[-1])),
        "range_frame": np.log1p(np.log(high[-1] / low[-1]) / s),
        "volume_60m": np.log(ewm(volume, 60.0)[-1] / week),
        "volume_frame": np.log1p(volume[-1] / ewm(volume, 60.0)[-1]),
        "flow_60m": ewm(signed, 60.0)[-1] / ewm(volume, 60.0)[-1],
        "illiquidity": np.log(ewm(illiquid, 60.0)[-1] / ewm(illiquid, 7 * 1440.0)[-1]),
        "squeezing_down": fell[-1],
        "squeezing_up": (np.log(high[-1]) - before[-1]) / limit[-1],
        "squeezed_down": ewm(fired, 240.0)[-1],
        "funding_bps": values[-1, sc.FUNDING_RATE] * 1e4,
        "to_settlement": 1.0 - (frames.end_ns[at] % (8 * 3600 * SECOND)) / (8 * 3600 * SECOND),
        "oi_60m": oi[-1] - oi[-61],
        "oi_turnover": oi[-1] - np.log(ewm(volume, 1440.0)[-1] * 1440),
        "btc_ret_60m": np.log(btc[-1] / btc[-61]) / (btc_sigma * np.sqrt(60)),
        "btc_vol_15m": np.log(np.sqrt(ewm(rb**2, 15.0)[-1]) / btc_sigma),
        "btc_corr": ewm(r * rb, 1440.0)[-1]
        / np.sqrt(ewm(r**2, 1440.0)[-1] * ewm(rb**2, 1440.0)[-1]),
        "btc_beta": beta,
        "own_60m": (log[-1] - log[-61] - beta * np.log(btc[-1] / btc[-61])) / (s * np.sqrt(60)),
        "liq_short_60m": np.log1p(
            1e3 * ewm(values[:, sc.LIQUIDATED_SHORTS], 60.0)[-1] / ewm(volume * close, 60.0)[-1]
        ),
        "largest_long_15m": np.log1p(
            1e3 * ewm(values[:, sc.LARGEST_LONGS], 15.0)[-1] / ewm(volume * close, 15.0)[-1]
        ),
        "imbalance": (bids[-1] - asks[-1]) / (bids[-1] + asks[-1]),
        "depth_week": np.log((bids + asks)[-1] / ewm(bids + asks, 7 * 1440.0)[-1]),
        "near_share": np.log(near / (bids + asks)[-1]),
        "spread_bps": (values[-1, sc.ASK] / values[-1, sc.BID] - 1.0)
        / (0.5 + 0.5 * values[-1, sc.ASK] / values[-1, sc.BID])
        * 1e4,
        "premium_bps": (close[-1] / values[-1, sc.INDEX] - 1.0) * 1e4,
        "mark_premium_bps": (values[-1, sc.MARK] / values[-1, sc.INDEX] - 1.0) * 1e4,
        "funding_predicted_bps": values[-1, sc.FUNDING_OWN] * 1e4,
        "funding_elsewhere_bps": (
            (values[-1, sc.FUNDING_BYBIT] + values[-1, sc.FUNDING_OKX]) / 2
            - values[-1, sc.FUNDING_OWN]
        )
        * 1e4,
        "long_short": np.log(values[-1, sc.LONG_SHORT_RATIO]),
        "long_short_240m": np.log(
            values[-1, sc.LONG_SHORT_RATIO] / values[-241, sc.LONG_SHORT_RATIO]
        ),
        "whales_240m": np.arcsinh(
            100 * ewm(net, 240.0)[-1] * 240 / (ewm(volume, 1440.0)[-1] * 1440 * close[-1])
        ),
        "sentiment": values[-1, sc.SENTIMENT],
        "age_sentiment": np.log1p(values[-1, sc.FIRST_AGE + sc.FEED_SENTIMENT] / 60.0),
        "age_funding": np.log1p(values[-1, sc.FIRST_AGE + sc.FEED_FUNDING] / 60.0),
        "move_15m": log[-1] - log[-16],
        "volume_per_min": ewm(volume, 60.0)[-1],
        "depth_usdt": min(bids[-1], asks[-1]),
    }
    for name, value in expected.items():
        assert features[at, INDEX[name]] == pytest.approx(value, rel=1e-7, abs=1e-9), name


def test_the_crash_is_remembered(features: Floats) -> None:
    falling = features[3_000:3_040, INDEX["squeezing_down"]]
    assert falling.max() > 1.0
    since = features[:, INDEX["since_down"]]
    fired = np.flatnonzero(features[:, INDEX["squeezing_down"]] >= 1.0)
    assert np.all(since[fired] == 0.0)
    assert since[fired[-1] + 60] == pytest.approx(np.log1p(1.0))
    assert features[fired[-1], INDEX["squeezed_down"]] > features[2_999, INDEX["squeezed_down"]]


def test_calendar() -> None:
    own = market(1, start_ns=NS_PER_DAY * 3)  # 1970-01-04, a Sunday
    [row] = FeatureStream(MINUTE).batch(own.events().frames())
    assert row[INDEX["weekend"]] == 1.0
    assert row[INDEX["hour_sin"]] == pytest.approx(np.sin(2 * np.pi / DAY))
    [row] = FeatureStream(MINUTE).batch(market(1, start_ns=NS_PER_DAY * 4).events().frames())
    assert row[INDEX["weekend"]] == 0.0
