"""A tape does not depend on how it was read, and equals what the engine sees frame by frame."""

from dataclasses import replace

import numpy as np
import pytest

from forecasters import logistic
from litehedge import tape as tape_module
from litehedge.engine_state import start
from litehedge.errors import DataError, UsageError
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import static
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.squeeze.forecast import ForecastState
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import build_tape, check_range, event_chunks, per_frame_of
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from made_lakes import store, store_companions, store_funding
from synthetic import T0, Crash, funding, market

HOUR = NS_PER_HOUR


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    own = market(2_500, seed=2, crashes=(Crash(at=2_000, bars=20, depth=0.2),))
    own = own.without(slice(300, 420))
    store(lake, "ltc", own)
    store_companions(lake, own)
    return lake


def build(lake, start_ns=None, end_ns=None, model=None):
    dataset = lake.dataset("ltc")
    span = check_range(dataset, start_ns, end_ns)
    return build_tape(lake, dataset, model or logistic(1), *span)


KINDS = pytest.mark.parametrize("kind", ["logistic", "network"])


def model_of(kind):
    if kind == "logistic":
        return logistic(1)
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from networks import network

    return network()


@KINDS
def test_chunks_change_nothing(lake, monkeypatch, kind):
    whole = build(lake, model=model_of(kind))
    assert (whole.signals[sg.STATE] != ForecastState.COLD).any()
    for bars in (23, 97, 500):  # with 23, some lie in the gap whole
        monkeypatch.setattr(tape_module, "CHUNK_BARS", bars)
        pieces = build(lake, model=model_of(kind))
        for part in ("end_ns", "bars", "funding_at", "funding", "signals", "liquidity"):
            np.testing.assert_array_equal(getattr(pieces, part), getattr(whole, part), part)
        assert repr(pieces.squeezes) == repr(whole.squeezes)


def test_a_later_start_is_the_end_of_a_longer_tape(lake):
    whole = build(lake)
    part = build(lake, start_ns=T0 + 1_500 * NS_PER_MINUTE)
    n = len(part)
    assert n == len(whole) - np.searchsorted(whole.end_ns, T0 + 1_500 * NS_PER_MINUTE, "right")
    np.testing.assert_array_equal(part.signals[: sg.ORACLE], whole.signals[: sg.ORACLE, -n:])
    np.testing.assert_array_equal(part.bars, whole.bars[-n:])
    settled = whole.funding_at >= len(whole) - n
    np.testing.assert_array_equal(part.funding_at, whole.funding_at[settled] - (len(whole) - n))


def test_the_bar_at_an_instant(lake):
    tape = build(lake)
    assert tape.index_at(T0) == 0
    assert tape.index_at(T0 + 1) == 1
    assert tape.index_at(T0 + 350 * NS_PER_MINUTE) == 300  # in the gap: the first bar after it


@KINDS
def test_signals_are_those_of_the_engine(lake, kind):
    model = model_of(kind)
    tape = build(lake, model=model)
    dataset = lake.dataset("ltc")
    settings, tiers = load_settings(), tier_table("binance", "LTCUSDT")
    state = start(settings, static(0.0), tiers, model, session="t", atom_ns=NS_PER_MINUTE)
    seen = {}

    def observe(event, effects):
        if getattr(event, "asset", "") == "LTC":
            seen[event.known_ns] = state.signals[:, 0].copy()

    feed = (
        e for chunk, _ in event_chunks(lake, dataset, 0, dataset.end_ns) for e in chunk.events()
    )
    venue = SimVenue(settings, tiers, Opening(2**62, reopens=False), NS_PER_MINUTE)
    run(state, feed, venue, observe=observe)
    for i, end_ns in enumerate(tape.end_ns.tolist()):
        np.testing.assert_array_equal(tape.signals[: sg.ORACLE, i], seen[end_ns][: sg.ORACLE])


def test_oracle_is_on_from_onset_to_peak(lake):
    tape = build(lake)
    worst = max(tape.squeezes, key=lambda q: q.severity_bps)
    on = tape.end_ns[tape.signals[sg.ORACLE] == 1.0]
    assert worst.side == "long"
    assert worst.onset_ns in on
    assert worst.peak_ns not in on
    assert worst.peak_ns - NS_PER_MINUTE in on


def test_funding_lies_at_the_bar_that_closes_with_it(lake):
    tape = build(lake)
    assert (tape.end_ns[tape.funding_at] % (8 * HOUR) == 0).all()
    assert tape.funding_at.size == np.unique(tape.end_ns[tape.end_ns % (8 * HOUR) == 0]).size


def test_a_settlement_between_two_chunks_is_paid(tmp_path, monkeypatch):
    """Stamps are a few milliseconds late: the bar it belongs to is in the chunk before."""
    own = market(1_000, seed=3, bar_ns=5 * NS_PER_MINUTE)
    late = funding(own)
    late = replace(late, event_ns=late.event_ns + 5_000_000, known_ns=late.known_ns + 5_000_000)
    lake = Lake(tmp_path / "lake")
    store(lake, "ltc", own)
    store_funding(lake, late)
    whole = build(lake, model=logistic(1, 5 * NS_PER_MINUTE))
    monkeypatch.setattr(tape_module, "CHUNK_BARS", 96)  # eight hours
    pieces = build(lake, model=logistic(1, 5 * NS_PER_MINUTE))
    assert whole.funding.size > 8
    np.testing.assert_array_equal(pieces.funding_at, whole.funding_at)
    np.testing.assert_array_equal(pieces.funding, whole.funding)


def test_a_damaged_companion_is_no_gap(lake):
    funded = lake.companions(lake.dataset("ltc"))["funding"]
    part = next((lake.root / funded.name).rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(DataError, match="damaged"):
        build(lake)


def test_a_start_inside_a_bar_begins_with_the_next(lake):
    tape = build(lake, start_ns=T0 + 1_500 * NS_PER_MINUTE + 1)
    assert tape.end_ns[0] == T0 + 1_502 * NS_PER_MINUTE


def test_five_second_bars_roll_into_minutes(tmp_path):
    lake = Lake(tmp_path / "lake")
    store(lake, "ltc", market(12 * 1_500, bar_ns=5 * NS_PER_SECOND, seed=4))
    tape = build(lake)
    assert per_frame_of(tape.bar_ns) == 12
    assert len(tape) == 12 * 1_500
    assert (tape.signals[sg.STATE, :11] == 2.0).all()  # no frame before twelve bars
    assert (tape.signals[sg.STATE, -12:] < 2.0).all()  # all phases warm after a day


def test_bars_that_make_no_minute_are_refused():
    with pytest.raises(UsageError, match="do not make up a minute"):
        per_frame_of(7 * NS_PER_SECOND)


def test_ranges(lake):
    dataset = lake.dataset("ltc")
    assert check_range(dataset, None, None) == (dataset.start_ns, dataset.end_ns)
    for bad in ((T0 + HOUR, T0), (T0 - 9 * HOUR, T0 - HOUR), (dataset.end_ns, dataset.end_ns + 1)):
        with pytest.raises(UsageError):
            check_range(dataset, *bad)
    hole = T0 + 310 * NS_PER_MINUTE
    with pytest.raises(UsageError, match="no bars between"):
        build(lake, hole, hole + HOUR)
