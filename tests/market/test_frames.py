"""The fold of events into frames: by hand on a few events, by law on random streams."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.feeds.replay import EventArrays
from litehedge.market import events as ev
from litehedge.market import rows as rw
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold, Frames, phase_of, segments
from litehedge.market.rows import event_of, row_of
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND
from synthetic import T0, everything, market

SECOND = NS_PER_SECOND
ATOM = 5 * SECOND
SUMS = (
    sc.VOLUME, sc.LIQUIDATED_LONGS, sc.LIQUIDATED_SHORTS, sc.LARGEST_LONGS, sc.LARGEST_SHORTS,
    sc.TRANSFERS_IN, sc.TRANSFERS_OUT, sc.BTC_VOLUME,
)  # fmt: skip


# --- random streams ---------------------------------------------------------------------------

amounts = st.floats(0.0, 1e6)
levels = st.floats(0.01, 1e6)


def padded(*values: float) -> tuple[float, ...]:
    return values + (0.0,) * (rw.N_VALUES - len(values))


@st.composite
def bodies(draw: st.DrawFn) -> tuple[int, tuple[float, ...]]:
    kind = draw(st.integers(0, rw.KIND_TICK))
    told = draw(st.booleans())  # whether the source tells what not all of them tell
    if kind in (rw.KIND_BAR, rw.KIND_BTC_BAR):
        low, *middle, high = sorted(draw(levels) for _ in range(4))
        if draw(st.booleans()):
            middle.reverse()
        volume = draw(amounts)
        bought = volume * draw(st.floats(0.0, 1.0)) if told else np.nan
        return kind, padded(middle[0], high, low, middle[1], volume, bought)
    if kind == rw.KIND_TRADE:
        return kind, padded(draw(levels), draw(amounts), float(draw(st.booleans())))
    if kind == rw.KIND_BOOK:
        bands = [draw(amounts) if told else np.nan for _ in range(4)]
        return kind, (draw(levels), draw(levels), draw(amounts), draw(amounts), *bands)
    if kind in (rw.KIND_LIQUIDATION, rw.KIND_LARGEST_LIQUIDATION):
        long, notional = draw(st.booleans()), draw(st.floats(1.0, 1e6))
        return kind, padded(notional) if long else padded(0.0, notional)
    if kind == rw.KIND_TICK:
        return kind, padded()
    if kind == rw.KIND_TRANSFER:
        return kind, padded(draw(amounts), float(draw(st.booleans())))
    if kind == rw.KIND_PREDICTED_FUNDING:
        return kind, padded(float(draw(st.integers(0, 2))), draw(st.floats(-0.01, 0.01)))
    return kind, padded(draw(levels))


GAPS = st.one_of(
    st.integers(0, 2 * ATOM),
    st.just(0),
    st.just(ATOM),
    st.integers(0, 40).map(lambda atoms: atoms * ATOM),
    st.integers(0, 8 * NS_PER_HOUR),
)


@st.composite
def streams(draw: st.DrawFn, *, least: int = 1) -> EventArrays:
    """Events at rising times with bursts, silences, and bars that close on the atom's edge."""
    n = draw(st.integers(least, 40))
    now = T0 + draw(st.integers(0, 20 * SECOND))
    kinds, known, values = [], [], []
    for _ in range(n):
        now += draw(GAPS)
        kind, body = draw(bodies())
        if kind <= rw.KIND_BAR and draw(st.booleans()):
            now = -(-now // ATOM) * ATOM
        kinds.append(kind)
        known.append(now)
        values.append(body)
    times = np.array(known, dtype=np.int64)
    return EventArrays(np.array(kinds, dtype=np.int8), times, times, np.array(values), ATOM)


def pushed(events: EventArrays, per_frame: int) -> Frames:
    fold = FrameFold(ATOM, per_frame)
    frames = [frame for event in events.events() for frame in fold.push(event)]
    ends = np.array([end for end, _ in frames], dtype=np.int64)
    values = np.array([row for _, row in frames]).reshape(-1, sc.N_COLUMNS)
    return Frames(ends, values, ATOM, per_frame)


def assert_equal(one: Frames, other: Frames) -> None:
    assert one.end_ns.tolist() == other.end_ns.tolist()
    assert one.values.tobytes() == np.ascontiguousarray(other.values).tobytes()


def part(events: EventArrays, which: slice) -> EventArrays:
    return EventArrays(
        events.kinds[which], events.event_ns[which], events.known_ns[which],
        events.values[which], events.interval_ns,
    )  # fmt: skip


# --- laws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_frame", [1, 12])
@given(events=streams(), at=st.floats(0.0, 1.0))
def test_one_event_at_a_time_equals_arrays_equals_chunks(
    per_frame: int, events: EventArrays, at: float
) -> None:
    whole = events.frames(per_frame)
    assert_equal(pushed(events, per_frame), whole)
    cut = int(at * len(events))
    fold = FrameFold(ATOM, per_frame)
    chunks = [
        fold.push_arrays(p.kinds, p.known_ns, p.values)
        for p in (part(events, slice(0, cut)), part(events, slice(cut, None)))
    ]
    ends = np.concatenate([chunk.end_ns for chunk in chunks])
    values = np.concatenate([chunk.values for chunk in chunks])
    assert_equal(Frames(ends, values, ATOM, per_frame), whole)


@pytest.mark.parametrize("which", list(range(6)))
def test_both_ways_may_take_turns(which: int) -> None:
    """A book that waits in one way is there in the other, wherever they change over."""
    kinds = [rw.KIND_TRADE, rw.KIND_BOOK, rw.KIND_BOOK, rw.KIND_TRADE, rw.KIND_BOOK, rw.KIND_TRADE]
    known = T0 + np.array([1, 2, 3, ATOM + 1, ATOM + 2, 2 * ATOM + 1], dtype=np.int64)
    values = np.arange(1.0, 1.0 + len(kinds) * rw.N_VALUES).reshape(len(kinds), -1)
    events = EventArrays(np.array(kinds, dtype=np.int8), known, known, values, ATOM)
    fold = FrameFold(ATOM, 1)
    first = [
        frame for event in part(events, slice(0, which)).events() for frame in fold.push(event)
    ]
    rest = part(events, slice(which, None))
    then = fold.push_arrays(rest.kinds, rest.known_ns, rest.values)
    ends = [*(end for end, _ in first), *then.end_ns.tolist()]
    rows = np.array([*(row for _, row in first), *then.values])
    assert_equal(Frames(np.array(ends), rows, ATOM, 1), events.frames(1))


@pytest.mark.parametrize("per_frame", [1, 12])
@given(events=streams(least=2), data=st.data())
def test_nothing_known_after_a_frame_ended_changes_it(
    per_frame: int, events: EventArrays, data: st.DataObject
) -> None:
    t = data.draw(st.sampled_from(events.known_ns.tolist()))
    other = data.draw(streams())
    kept = events.known_ns <= t
    later = other.known_ns - other.known_ns[0] + t + 1
    changed = EventArrays(
        np.concatenate((events.kinds[kept], other.kinds)),
        np.concatenate((events.known_ns[kept], later)),
        np.concatenate((events.known_ns[kept], later)),
        np.concatenate((events.values[kept], other.values)),
        ATOM,
    )
    before, after = by_end(events.frames(per_frame)), by_end(changed.frames(per_frame))
    for end in by_end(part(events, slice(int(kept.sum()))).frames(per_frame)):
        assert end in before
        assert end in after
    # Silence is known only once something was heard, so either may have frames the other lacks.
    for end in before.keys() & after.keys():
        if end <= t:
            assert before[end].tobytes() == after[end].tobytes()


def by_end(frames: Frames) -> dict[int, NDArray[np.float64]]:
    return dict(zip(frames.end_ns.tolist(), frames.values, strict=True))


@given(events=streams())
def test_a_frame_is_the_aggregate_of_its_atoms(events: EventArrays) -> None:
    atoms, frames = events.frames(1), events.frames(12)
    place = {end: i for i, end in enumerate(atoms.end_ns.tolist())}
    others = [c for c in range(sc.N_COLUMNS) if c not in SUMS]
    for end, frame in zip(frames.end_ns.tolist(), frames.values, strict=True):
        ends = [end - ATOM * back for back in range(11, -1, -1)]
        if all(e in place for e in ends):  # atoms lack what only frames bridge: short silences
            expected = aggregate(atoms.values[[place[e] for e in ends]])
            np.testing.assert_array_equal(frame[others], expected[others])
            np.testing.assert_allclose(frame[list(SUMS)], expected[list(SUMS)], rtol=1e-12)


def aggregate(atoms: NDArray[np.float64]) -> NDArray[np.float64]:
    out = atoms[-1].copy()
    for column in SUMS:
        present = atoms[~np.isnan(atoms[:, column]), column]
        out[column] = present.sum() if present.size else np.nan
    for close, high, low in (
        (sc.CLOSE, sc.HIGH, sc.LOW),
        (sc.BTC_CLOSE, sc.BTC_HIGH, sc.BTC_LOW),
    ):
        priced = atoms[~np.isnan(atoms[:, close])]
        if close == sc.CLOSE:
            out[sc.OPEN] = priced[0, sc.OPEN] if len(priced) else np.nan
            out[sc.BUY_VOLUME] = sum(priced[:, sc.BUY_VOLUME]) if len(priced) else np.nan
        out[close] = priced[-1, close] if len(priced) else np.nan
        out[high] = priced[:, high].max(initial=-np.inf) if len(priced) else np.nan
        out[low] = priced[:, low].min(initial=np.inf) if len(priced) else np.nan
    return out


@pytest.mark.parametrize("per_frame", [1, 12])
@given(events=streams())
def test_prices_and_ages_make_sense(per_frame: int, events: EventArrays) -> None:
    frames = events.frames(per_frame)
    values = frames.values
    priced = ~np.isnan(values[:, sc.CLOSE])
    open_, high, low, close = values[priced][:, : sc.CLOSE + 1].T
    assert np.all(low <= np.minimum(open_, close))
    assert np.all(high >= np.maximum(open_, close))
    volume, bought = values[:, sc.VOLUME], values[:, sc.BUY_VOLUME]
    assert np.all(np.isnan(volume) == ~priced)
    assert np.all(np.isnan(bought[~priced]))
    assert not np.any(bought > volume * (1 + 1e-12))
    ages = values[:, sc.FIRST_AGE :]
    assert not np.any(ages < 0.0)
    assert np.all(ages[priced, sc.FEED_PRICE] <= per_frame * ATOM / SECOND)
    assert np.all(np.diff(frames.end_ns) >= ATOM)
    assert np.all(frames.end_ns % ATOM == 0)


@given(events=streams())
def test_volume_is_conserved(events: EventArrays) -> None:
    """Every trade and bar is in exactly one atom, but those of the atom still being filled."""
    tick = EventArrays(
        np.array([rw.KIND_TICK], dtype=np.int8), events.known_ns[-1:] + ATOM,
        events.known_ns[-1:] + ATOM, np.zeros((1, rw.N_VALUES)), ATOM,
    )  # fmt: skip
    fold = FrameFold(ATOM)
    parts = [fold.push_arrays(p.kinds, p.known_ns, p.values) for p in (events, tick)]
    values = np.concatenate([p.values for p in parts])
    is_bar, is_trade = events.kinds == rw.KIND_BAR, events.kinds == rw.KIND_TRADE
    sold = events.values[is_bar, 4].sum() + events.values[is_trade, 1].sum()
    assert np.nansum(values[:, sc.VOLUME]) == pytest.approx(sold)
    for kind, columns in (
        (rw.KIND_LIQUIDATION, [sc.LIQUIDATED_LONGS, sc.LIQUIDATED_SHORTS]),
        (rw.KIND_LARGEST_LIQUIDATION, [sc.LARGEST_LONGS, sc.LARGEST_SHORTS]),
    ):
        forced = events.values[events.kinds == kind, :2].sum()
        assert np.nansum(values[:, columns]) == pytest.approx(forced)
    moved = events.values[events.kinds == rw.KIND_TRANSFER]
    inward = moved[moved[:, 1] > 0.0, 0].sum()
    assert np.nansum(values[:, sc.TRANSFERS_IN]) == pytest.approx(inward)
    assert np.nansum(values[:, sc.TRANSFERS_OUT]) == pytest.approx(moved[:, 0].sum() - inward)


@given(events=streams())
@settings(max_examples=40)
def test_the_fold_is_its_state(events: EventArrays) -> None:
    """Two folds do not share anything, and giving a frame away does not give the state away."""
    one, other = FrameFold(ATOM, 3), FrameFold(ATOM, 3)
    for event in events.events():
        for _, frame in one.push(event):
            frame[:] = -1.0
    again = [frame for event in events.events() for frame in other.push(event)]
    assert not any((frame == -1.0).all() for _, frame in again)


# --- rows and events --------------------------------------------------------------------------


@given(events=streams())
def test_row_of_and_event_of_are_inverse(events: EventArrays) -> None:
    for i, event in enumerate(events.events()):
        kind, *row = row_of(event)
        assert kind == events.kinds[i]
        np.testing.assert_array_equal(row, events.values[i])
        again = event_of(kind, event.event_ns, event.known_ns, np.array(row), ATOM)
        assert again == event


# --- by hand ----------------------------------------------------------------------------------


def bar(end: int, close: float, volume: float = 1.0, asset: str = "LTC") -> ev.Bar:
    body = (close - 1, close + 2, close - 2, close, volume)
    return ev.Bar(end, end, asset, ATOM, *body)  # type: ignore[arg-type]


def frames_of(events: list[ev.MarketEvent], per_frame: int = 1) -> Iterator[tuple[int, dict]]:
    fold = FrameFold(ATOM, per_frame)
    for event in events:
        for end, row in fold.push(event):
            yield end, dict(zip(sc.NAMES, row.tolist(), strict=True))


def test_a_bar_closes_its_atom() -> None:
    [(end, frame)] = frames_of([bar(T0, 100.0, asset="BTC"), bar(T0, 50.0, 3.0)])
    assert end == T0
    assert (frame["open"], frame["high"], frame["low"], frame["close"]) == (49, 52, 48, 50)
    assert (frame["volume"], frame["btc_close"], frame["age_btc"]) == (3.0, 100.0, 0.0)
    assert np.isnan(frame["buy_volume"])
    assert np.isnan(frame["age_book"])


def test_a_companion_that_comes_too_late_is_in_the_next_atom() -> None:
    events = [bar(T0, 50.0), bar(T0, 100.0, asset="BTC"), bar(T0 + ATOM, 51.0)]
    first, second = [frame for _, frame in frames_of(events)]
    assert np.isnan(first["btc_close"])
    assert second["btc_close"] == 100.0
    assert second["age_btc"] == 5.0


def test_trades_fold_into_a_bar() -> None:
    trades = [(1, 100.0, 2.0, True), (2, 103.0, 1.0, False), (4, 99.0, 4.0, True)]
    events: list[ev.MarketEvent] = [
        ev.Trade(T0 + s * SECOND, T0 + s * SECOND, price, qty, buys)
        for s, price, qty, buys in trades
    ]
    [(end, frame)] = frames_of([*events, ev.Tick(T0 + ATOM, T0 + ATOM)])
    assert end == T0 + ATOM
    assert [frame[k] for k in ("open", "high", "low", "close")] == [100, 103, 99, 99]
    assert (frame["volume"], frame["buy_volume"], frame["age_price"]) == (7.0, 6.0, 1.0)


def test_what_is_known_at_the_edge_belongs_to_the_next_atom() -> None:
    trade = ev.Trade(T0 + ATOM, T0 + ATOM, 100.0, 1.0, True)
    events = [ev.Tick(T0, T0), trade, ev.Tick(T0 + 2 * ATOM, T0 + 2 * ATOM)]
    first, second = [frame for _, frame in frames_of(events)]
    assert np.isnan(first["close"])
    assert second["close"] == 100.0


def test_a_lone_silent_frame_says_so_and_ends_the_segment() -> None:
    fold = FrameFold(ATOM)
    fold.push(bar(T0, 50.0))
    frames = fold.push(bar(T0 + 100 * ATOM, 60.0))
    assert [end for end, _ in frames] == [T0 + ATOM, T0 + 100 * ATOM]
    silent, spoken = [row for _, row in frames]
    assert np.isnan(silent[sc.CLOSE])
    assert spoken[sc.CLOSE] == 60.0


@pytest.mark.parametrize("silence", [1, 3, 4, 5, 6, 40])
def test_silence_within_a_frame_goes_on_and_a_silent_frame_begins_anew(silence: int) -> None:
    per_frame = 4
    fold = FrameFold(ATOM, per_frame)
    for i in range(per_frame):
        fold.push(bar(T0 + i * ATOM, 50.0))
    last = T0 + (per_frame - 1) * ATOM
    frames = fold.push(bar(last + (silence + 1) * ATOM, 60.0))
    silent = [np.isnan(row[sc.CLOSE]) for _, row in frames]
    if silence < per_frame:
        assert silent == [False] * (silence + 1)
        assert frames[-1][1][sc.OPEN] == (49.0 if silence < per_frame - 1 else 59.0)
    else:
        assert sum(silent) == 1
        assert silent[per_frame - 1]
    if silence > per_frame:
        assert len(frames) == per_frame  # the new segment has no full frame yet


def test_nothing_liquidated_is_zero_while_the_feed_lives() -> None:
    forced = ev.Liquidation(T0, T0, "short", 500.0)
    hours = [T0 + h * NS_PER_HOUR for h in (0, 5, 6, 7)]
    events: list[ev.MarketEvent] = [bar(T0 - ATOM, 50.0), forced]
    for start in hours:
        events += [bar(start + ATOM, 50.0), bar(start + 2 * ATOM, 50.0)]
    frames = dict(frames_of(events))
    assert np.isnan(frames[T0 - ATOM]["liquidated_shorts"])
    assert frames[T0 + ATOM]["liquidated_shorts"] == 500.0
    assert frames[T0 + ATOM]["liquidated_longs"] == 0.0
    assert frames[T0 + 2 * ATOM]["liquidated_shorts"] == 0.0
    assert frames[hours[1] + ATOM]["liquidated_shorts"] == 0.0
    assert np.isnan(frames[hours[2] + 2 * ATOM]["liquidated_shorts"])
    assert np.isnan(frames[hours[3] + 2 * ATOM]["liquidated_shorts"])


def test_last_known_values_stay_with_their_age() -> None:
    events: list[ev.MarketEvent] = [
        ev.Funding(T0, T0, 1e-4), ev.Mark(T0 + SECOND, T0 + SECOND, 99.0),
        ev.OpenInterest(T0, T0, 7.0), ev.Book(T0, T0, 1.0, 2.0, 3.0, 4.0),
        bar(T0 + ATOM, 50.0), bar(T0 + 2 * ATOM, 50.0),
    ]  # fmt: skip
    _, frame = list(frames_of(events))[-1]
    assert (frame["funding_rate"], frame["mark"], frame["open_interest"]) == (1e-4, 99.0, 7.0)
    assert [frame[k] for k in ("bid", "ask", "bid_depth", "ask_depth")] == [1.0, 2.0, 3.0, 4.0]
    assert (frame["age_funding"], frame["age_mark"], frame["age_price"]) == (10.0, 9.0, 0.0)


def test_the_two_feeds_of_forced_orders_are_never_added_up() -> None:
    events: list[ev.MarketEvent] = [
        bar(T0, 50.0), ev.Liquidation(T0, T0, "long", 900.0),
        ev.Liquidation(T0, T0, "long", 300.0, "largest"), bar(T0 + ATOM, 50.0),
    ]  # fmt: skip
    before, frame = [frame for _, frame in frames_of(events)]
    assert (frame["liquidated_longs"], frame["largest_longs"]) == (900.0, 300.0)
    assert (frame["liquidated_shorts"], frame["largest_shorts"]) == (0.0, 0.0)
    assert np.isnan(before["largest_longs"])
    [*_, alone] = [frame for _, frame in frames_of([events[1], events[3]])]
    assert alone["liquidated_longs"] == 900.0
    assert np.isnan(alone["largest_longs"])


def test_what_a_feed_never_told_is_unknown_and_not_zero() -> None:
    [(_, frame)] = frames_of([bar(T0, 50.0)])
    unknown = {c.name for c in sc.COLUMNS if c.feed != "price"} | {"buy_volume"}
    assert {name for name, value in frame.items() if np.isnan(value)} == unknown


def test_new_feeds_fill_their_columns_and_ages() -> None:
    events: list[ev.MarketEvent] = [
        ev.Index(T0, T0, 98.0), ev.LongShortRatio(T0, T0 + SECOND, 1.7),
        ev.Transfer(T0, T0, 5e6, True), ev.Transfer(T0, T0, 2e6, False),
        ev.Sentiment(T0 - 60 * SECOND, T0 + 2 * SECOND, -0.4),
        ev.PredictedFunding(T0, T0, "own", 1e-4), ev.PredictedFunding(T0, T0, "okx", 3e-4),
        ev.Book(T0, T0, 1.0, 2.0, 3.0, 4.0, 0.3, 0.4, 30.0, 40.0), bar(T0 + ATOM, 50.0),
    ]  # fmt: skip
    [*_, frame] = [frame for _, frame in frames_of(events)]
    assert (frame["index"], frame["long_short_ratio"], frame["sentiment"]) == (98.0, 1.7, -0.4)
    assert (frame["transfers_in"], frame["transfers_out"]) == (5e6, 2e6)
    assert (frame["funding_own"], frame["funding_okx"]) == (1e-4, 3e-4)
    assert np.isnan(frame["funding_bybit"])
    assert np.isnan(frame["funding_rate"]), "what others predict is not what we settle"
    assert (frame["bid_depth_near"], frame["ask_depth_far"]) == (0.3, 40.0)
    assert (frame["age_long_short_ratio"], frame["age_sentiment"]) == (4.0, 3.0)
    assert np.isnan(frame["age_funding_bybit"])


def test_buy_volume_is_known_only_if_every_part_tells_it() -> None:
    told = ev.Bar(T0, T0, "LTC", ATOM, 50.0, 51.0, 49.0, 50.0, 10.0, 6.0)
    later = [
        ev.Bar(T0 + ATOM, T0 + ATOM, "LTC", ATOM, 50.0, 51.0, 49.0, 50.0, 4.0, b)
        for b in (1.0, np.nan)
    ]
    for other, expected in zip(later, (7.0, np.nan), strict=True):
        [(_, frame)] = frames_of([told, other], per_frame=2)
        np.testing.assert_equal(frame["buy_volume"], expected)
        assert frame["volume"] == 14.0


# --- phases and segments ----------------------------------------------------------------------


def test_phases_count_atoms_around_the_frame() -> None:
    ends = T0 + ATOM * np.arange(30, dtype=np.int64)
    phases = phase_of(ends, ATOM, 12)
    assert phases[:13].tolist() == [*range(phases[0], 12), *range(phases[0] + 1)][:13]
    frames = Frames(ends, np.zeros((30, sc.N_COLUMNS)), ATOM, 12)
    assert frames.phases.tolist() == phases.tolist()
    assert frames.frame_ns == 60 * SECOND
    assert len(frames) == 30


def test_segments_end_at_silence_and_at_jumps() -> None:
    own = market(20, bar_ns=ATOM).without(slice(5, 6), slice(12, 15))
    frames = everything(own).frames()
    found = [frames.end_ns[s] for s in segments(frames)]
    assert [f.size for f in found] == [5, 6, 5]
    assert np.concatenate(found).tolist() == own.end_ns.tolist()
    for one in found:
        assert np.all(np.diff(one) == ATOM)


def test_no_frames_have_no_segments() -> None:
    fold = FrameFold(ATOM)
    nothing = fold.push_arrays(
        np.empty(0, np.int8), np.empty(0, np.int64), np.empty((0, rw.N_VALUES))
    )
    assert len(nothing) == 0
    assert list(segments(nothing)) == []


def test_rows_of_another_width_are_refused() -> None:
    times = np.array([T0], dtype=np.int64)
    with pytest.raises(ValueError, match="8 values"):
        FrameFold(ATOM).push_arrays(np.zeros(1, np.int8), times, np.zeros((1, 5)))
