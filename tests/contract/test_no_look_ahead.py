"""Nothing that comes later changes anything that was known before.

One checker for all: compute on a market, then on markets that are the same up to t and other
afterwards; every value at or before t must have the same bits. That the checker can fail is shown
on variants that do look ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasters import logistic
from litehedge.backtest import play, walk
from litehedge.config import Hedge, Position, Settings
from litehedge.features.trigger import MOVE_MINUTES, SLOW_HALF_LIFE_DAYS
from litehedge.features.vector import FeatureStream
from litehedge.features.windows import decay_of_half_life
from litehedge.feeds.replay import EventArrays
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policy_named
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.market.rows import KIND_BAR, KIND_FUNDING
from litehedge.sim.execution import new_liquidity
from litehedge.squeeze import labels
from litehedge.squeeze.forecast import from_scratch
from litehedge.squeeze.labels import catalogue, slow_sigma
from litehedge.squeeze.targets import targets
from litehedge.tape import Tape, mark_oracle
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from synthetic import (
    Crash,
    Market,
    bitcoin,
    everything,
    feeds,
    funding,
    liquidations,
    market,
    merged,
    open_interest,
    packaged_tiers,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Known = tuple[Ints, Floats]  # when each row was known, and its values
Compute = Callable[[EventArrays], Known]

MINUTE = NS_PER_MINUTE
N = 2_400
CRASHES = (Crash(1_700, 15, 0.07), Crash(2_050, 25, 0.10))
OWN = market(N, seed=21, vol=0.0008, crashes=CRASHES)
WORLD = everything(OWN)
CUTS = (1_500, 1_709, 2_071)  # calm, in a fall, in the next one
FINE = market(6_000, seed=22, bar_ns=5 * NS_PER_SECOND, vol=0.0008)


# --- other futures ----------------------------------------------------------------------------


def shuffled(own: Market, at: int) -> Market:
    bars = own.bars.copy()
    np.random.default_rng(1).shuffle(bars[at + 1 :])
    return replace(own, bars=bars)


def dearer(own: Market, at: int) -> Market:
    bars = own.bars.copy()
    bars[at + 1 :] *= 7.0
    return replace(own, bars=bars)


def garbage(own: Market, at: int) -> Market:
    bars = own.bars.copy()
    later = bars[at + 1 :]
    rng = np.random.default_rng(2)
    prices = np.sort(np.exp(rng.normal(4.0, 2.0, (len(later), 4))), axis=1)
    later[:, [2, 0, 3, 1]] = prices
    later[:, 4] = rng.exponential(1e6, len(later))
    return replace(own, bars=bars)


def silence(own: Market, at: int) -> Market:
    return own.without(slice(at + 1, min(at + 200, len(own) - 1)))


FUTURES = {"shuffled": shuffled, "dearer": dearer, "garbage": garbage, "silence": silence}


def other_companions(own: Market) -> list[EventArrays]:
    return [
        bitcoin(own, seed=91), funding(own, rate=5e-3, seed=92), open_interest(own, seed=93),
        liquidations(own, seed=94), *feeds(own, seed=95).values(),
    ]  # fmt: skip


def part(events: EventArrays, which: NDArray[np.bool_]) -> EventArrays:
    return EventArrays(
        events.kinds[which], events.event_ns[which], events.known_ns[which],
        events.values[which], events.interval_ns,
    )  # fmt: skip


def with_other_future(events: EventArrays, own: Market, at: int, future: str) -> EventArrays:
    """The same events as long as they were known when bar `at` had closed, others after."""
    t = int(own.end_ns[at])
    changed = FUTURES[future](own, at)
    other = changed.events(*other_companions(changed))
    return merged(part(events, events.known_ns <= t), part(other, other.known_ns > t))


def assert_does_not_look_ahead(compute: Compute, own: Market, events: EventArrays, at: int) -> None:
    t = int(own.end_ns[at])
    times, values = compute(events)
    before = times <= t
    assert before.any()
    assert not before.all()
    for future in FUTURES:
        other_times, other_values = compute(with_other_future(events, own, at, future))
        other_before = other_times <= t
        assert times[before].tolist() == other_times[other_before].tolist(), future
        one, other = values[before], other_values[other_before]
        np.testing.assert_array_equal(one, other, err_msg=future)
        assert one.tobytes() == other.tobytes()
        rest = min((~before).sum(), (~other_before).sum())
        later, other_later = values[~before][:rest], other_values[~other_before][:rest]
        assert later.tobytes() != other_later.tobytes(), "the future was not another one"


# --- what must not look ahead -----------------------------------------------------------------


def frames_of(events: EventArrays) -> Known:
    frames = events.frames()
    return frames.end_ns, frames.values


def features_of(events: EventArrays) -> Known:
    frames = events.frames()
    return frames.end_ns, FeatureStream(MINUTE).batch(frames)


def thresholds_of(events: EventArrays) -> Known:
    """What labels compare with: slow volatility, triggers of both sides, trailing quantiles."""
    frames = events.frames()
    priced = ~np.isnan(frames.values[:, sc.CLOSE])
    end_ns, values = frames.end_ns[priced], frames.values[priced]
    high, low, close = (np.ascontiguousarray(values[:, c]) for c in (sc.HIGH, sc.LOW, sc.CLOSE))
    sigma = slow_sigma(close, decay_of_half_life(SLOW_HALF_LIFE_DAYS * 1440), 120.0, 1.0)
    lag = int(MOVE_MINUTES)
    columns = [sigma]
    unasked = np.full(close.size, np.nan)
    for sign, column in ((1.0, sc.LIQUIDATED_LONGS), (-1.0, sc.LIQUIDATED_SHORTS)):
        burst = labels.rolling_sum(values[:, column], lag)
        unusual = labels.trailing_quantile(burst, 1.0, 0.95)
        fires = labels.fired(
            high, low, close, sigma, burst, unusual, unasked, lag, MOVE_MINUTES, sign
        )
        columns += [burst, unusual, fires.astype(np.float64)]
    return end_ns, np.column_stack(columns)


def forecasts_of(events: EventArrays) -> Known:
    end_ns, features = features_of(events)
    return end_ns, from_scratch(logistic(4), end_ns, features)


def signals_of(events: EventArrays) -> Known:
    tape = tape_of(events)
    mark_oracle(tape)
    known = np.delete(tape.signals, [sg.ORACLE, sg.ORACLE + 1], axis=0)
    return tape.end_ns, known.T.astype(np.float64)


def tape_of(events: EventArrays) -> Tape:
    end_ns, forecasts = forecasts_of(events)
    frames = events.frames()
    features = FeatureStream(MINUTE).batch(frames)
    is_bar, is_funding = events.kinds == KIND_BAR, events.kinds == KIND_FUNDING
    bars, ends = events.values[is_bar, :5], events.known_ns[is_bar]
    place = {end: i for i, end in enumerate(ends.tolist())}
    places = np.array([place.get(end, -1) for end in end_ns.tolist()])
    signals = np.full((sg.N_SIGNALS, ends.size), np.nan, dtype=np.float32)
    sg.write_all_signals(forecasts, features, places, signals)
    closed = np.searchsorted(ends, events.known_ns[is_funding], side="right") - 1
    settled = closed >= 0
    return Tape(
        "world", MINUTE, ends, np.ascontiguousarray(bars), closed[settled],
        events.values[is_funding, 0][settled], signals, new_liquidity(), catalogue(frames),
    )  # fmt: skip


LAYERS = [frames_of, features_of, thresholds_of, forecasts_of, signals_of]


@pytest.mark.parametrize("at", CUTS)
@pytest.mark.parametrize("compute", LAYERS)
def test_nothing_looks_ahead(compute: Compute, at: int) -> None:
    assert_does_not_look_ahead(compute, OWN, WORLD, at)


@pytest.mark.parametrize("at", [3_000, 3_007, 5_999 - 200])
@pytest.mark.parametrize("layer", ["frames", "features"])
def test_nothing_looks_ahead_in_any_phase(layer: str, at: int) -> None:
    def compute(events: EventArrays) -> Known:
        frames = events.frames(12)
        if layer == "frames":
            return frames.end_ns, frames.values
        return frames.end_ns, FeatureStream(5 * NS_PER_SECOND, 12).batch(frames)

    assert_does_not_look_ahead(compute, FINE, everything(FINE), at)


@pytest.mark.parametrize("at", CUTS)
def test_a_squeeze_that_is_over_stays_as_it_was(at: int) -> None:
    """But for the retrace, which is taken an hour after the peak."""
    t = int(OWN.end_ns[at])

    def over(events: EventArrays) -> list[str]:
        return [
            str(replace(q, retrace_60m=0.0) if q.peak_ns + NS_PER_HOUR > t else q)
            for q in catalogue(events.frames())
            if q.complete and q.end_ns <= t
        ]

    before = over(WORLD_WITHOUT_ORDERS)
    for future in FUTURES:
        changed = with_other_future(WORLD_WITHOUT_ORDERS, OWN, at, future)
        assert over(changed) == before
    if at == CUTS[-1]:
        assert before


WORLD_WITHOUT_ORDERS = OWN.events(bitcoin(OWN), funding(OWN))


# --- decisions --------------------------------------------------------------------------------

START = 1_460  # the position opens when the forecast is warm


def settings(location: str = "same_account") -> Settings:
    return Settings(
        position=Position(leverage=20.0),
        hedge=Hedge(location=location),  # type: ignore[arg-type]
    )


def walked(policy: str) -> Compute:
    """The fast path: equity, hedge ratio, band and distance at every close."""

    def compute(events: EventArrays) -> Known:
        tape = tape_of(events)
        kept = slice(START, None)
        later = tape.funding_at >= START
        tape = replace(
            tape, end_ns=tape.end_ns[kept], bars=tape.bars[kept],
            signals=np.ascontiguousarray(tape.signals[:, kept]),
            funding_at=tape.funding_at[later] - START, funding=tape.funding[later],
        )  # fmt: skip
        if policy == "oracle":
            mark_oracle(tape)
        chosen = policy_named(policy, settings())
        run = walk(tape, settings(), packaged_tiers(), chosen, reopens=False)
        return run.end_ns, np.nan_to_num(run.path, nan=-1.0)

    return compute


@pytest.mark.parametrize("at", CUTS[1:])
@pytest.mark.parametrize("policy", ["plugin", "margin-vol", "vol-target", "hazard", "move-3pct"])
def test_the_fast_path_does_not_look_ahead(policy: str, at: int) -> None:
    assert_does_not_look_ahead(walked(policy), OWN, WORLD, at)


@pytest.mark.parametrize("location", ["same_account", "reduce"])
@pytest.mark.parametrize("policy", ["plugin", "vol-target"])
def test_the_faithful_path_does_not_look_ahead(policy: str, location: str) -> None:
    """Decisions, orders, fills and account events up to t, as the journal would have them."""
    at = CUTS[1]
    t = int(OWN.end_ns[at])

    def told(events: EventArrays) -> list[str]:
        here = settings(location)
        run = play(
            events.events(), MINUTE, 1, here, packaged_tiers(), policy_named(policy, here),
            logistic(4), opens_ns=int(OWN.end_ns[START]) - MINUTE, session="s", held_every_ns=0,
        )  # fmt: skip
        decided = [str(d) for d in run.decisions if d.time_ns <= t]
        return decided + [str(e) for e in run.account_events if e.known_ns <= t]

    before = told(WORLD)
    assert len(before) > at - START
    for future in FUTURES:
        assert told(with_other_future(WORLD, OWN, at, future)) == before


# --- the checker can fail ---------------------------------------------------------------------


def centred_frames(events: EventArrays) -> Known:
    """Leaks one bar: the close is smoothed with the next one."""
    frames = events.frames()
    values = frames.values.copy()
    values[:-1, sc.CLOSE] = 0.5 * (values[:-1, sc.CLOSE] + values[1:, sc.CLOSE])
    return frames.end_ns, values


def standardised_features(events: EventArrays) -> Known:
    """Leaks the whole future: scaled by mean and deviation of the sample."""
    end_ns, features = features_of(events)
    known = np.nan_to_num(features)
    return end_ns, (known - known.mean(axis=0)) / (known.std(axis=0) + 1e-12)


def features_of_late_frames(events: EventArrays) -> Known:
    """Leaks a bar through its stamp: the frame carries the time at which it began."""
    frames = events.frames()
    early = Frames(frames.end_ns - MINUTE, frames.values, MINUTE, 1)
    return early.end_ns, FeatureStream(MINUTE).batch(early)


def targets_of(events: EventArrays) -> Known:
    """Looks ahead on purpose: this is what is to be forecast."""
    frames = events.frames()
    got = targets(frames, catalogue(frames))
    return frames.end_ns, got.to_onset_min


def oracle_of(events: EventArrays) -> Known:
    tape = tape_of(events)
    mark_oracle(tape)
    return tape.end_ns, tape.signals[sg.ORACLE :].T.astype(np.float64)


@pytest.mark.parametrize(
    "leaky",
    [
        centred_frames, standardised_features, features_of_late_frames, targets_of, oracle_of,
        walked("oracle"),
    ],
)  # fmt: skip
def test_a_look_ahead_is_caught(leaky: Compute) -> None:
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        assert_does_not_look_ahead(leaky, OWN, WORLD_WITHOUT_ORDERS, CUTS[1])
