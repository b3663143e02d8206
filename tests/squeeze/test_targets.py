"""What the forecaster is asked, against a frame-by-frame account of the same catalogue."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.market import schema as sc
from litehedge.market.frames import Frames, segments
from litehedge.squeeze.labels import SIDES, Squeeze, catalogue
from litehedge.squeeze.targets import (
    AFTER,
    BEFORE,
    DURING,
    NORMAL,
    PHASES,
    VOL_MINUTES,
    Targets,
    targets,
)
from litehedge.units import NS_PER_MINUTE
from synthetic import Crash, Market, market

MINUTE = NS_PER_MINUTE
OWN = market(900, seed=5, vol=0.0006)


def squeeze(
    side: str, onset: int, peak: int, end: int, own: Market = OWN, **changes: object
) -> Squeeze:
    """A squeeze between the given bars."""
    times = [int(own.end_ns[i]) for i in (onset, onset + 1, peak, end)]
    fields = {
        "onset_price": 100.0, "peak_price": 95.0, "severity_bps": 500.0, "severity_sigma": 5.0,
        "retrace_60m": 0.5, "liquidated_usdt": math.nan, "oi_change": math.nan, "tier": 2,
        "proxy": True, "complete": True,
    }  # fmt: skip
    return Squeeze(side, *times, **{**fields, **changes})  # type: ignore[arg-type]


def expected_at(
    frames: Frames, squeezes: list[Squeeze], i: int, s: int, edge: int
) -> tuple[float, bool, bool, bool, float, int]:
    """Tell to_onset, has_onset, at_risk, inside, to_peak, event of one frame, the slow way."""
    now = int(frames.end_ns[i])
    last = next(
        int(frames.end_ns[w][-1]) for w in segments(frames) if w.start <= i < w.stop
    )  # fmt: skip
    first = next(int(frames.end_ns[w][0]) for w in segments(frames) if w.start <= i < w.stop)
    until = min(last, edge)
    if now > until:
        return math.nan, False, False, False, math.nan, -1
    mine = [
        (k, q)
        for k, q in enumerate(squeezes)
        if q.side == SIDES[s] and first <= q.onset_ns <= until
    ]
    coming = [(q.onset_ns, k) for k, q in mine if q.onset_ns >= now]
    has = bool(coming)
    at, event = min(coming) if has else (until, -1)
    at_risk = not any(q.onset_ns < now < q.end_ns for _, q in mine)
    running = [(k, q) for k, q in mine if q.onset_ns < now < q.peak_ns and q.peak_ns <= until]
    to_peak = math.nan
    if running:
        event, q = running[-1]
        to_peak = (q.peak_ns - now) / MINUTE
    return (at - now) / MINUTE, has, at_risk, bool(running), to_peak, event


@st.composite
def catalogues(draw: st.DrawFn) -> list[Squeeze]:
    """Squeezes of either side, those of one side one after another."""
    found = []
    for side in SIDES:
        at = draw(st.integers(0, 200))
        for _ in range(draw(st.integers(0, 4))):
            onset = at
            peak = onset + draw(st.integers(1, 40))
            end = peak + draw(st.integers(1, 40))
            at = end + draw(st.integers(0, 200))
            if end < len(OWN):
                found.append(squeeze(side, onset, peak, end))
    return sorted(found, key=lambda q: (q.onset_ns, q.side))


@given(
    squeezes=catalogues(),
    hole=st.none() | st.integers(50, 850),
    edge=st.none() | st.integers(0, 899),
)
def test_every_frame_against_the_slow_way(
    squeezes: list[Squeeze], hole: int | None, edge: int | None
) -> None:
    own = OWN if hole is None else OWN.without(slice(hole, hole + 3))
    frames = own.events().frames()
    edge_ns = None if edge is None else int(OWN.end_ns[edge])
    got = targets(frames, squeezes, edge_ns=edge_ns)
    last = int(OWN.end_ns[-1]) if edge_ns is None else edge_ns
    silent = np.isnan(frames.values[:, sc.CLOSE])
    for i in range(0, len(frames), 7):
        if silent[i]:
            assert np.isnan(got.to_onset_min[i]).all()
            assert not got.at_risk[i].any()
            continue
        for s in range(2):
            row = (
                got.to_onset_min[i, s], got.has_onset[i, s], got.at_risk[i, s],
                got.inside[i, s], got.to_peak_min[i, s], got.event[i, s],
            )  # fmt: skip
            expected = expected_at(frames, squeezes, i, s, last)
            assert row == pytest.approx(expected, nan_ok=True)


def test_times_count_down_to_the_onset_and_then_to_the_peak() -> None:
    got = targets(OWN.events().frames(), [squeeze("long", 100, 120, 150)])
    assert got.to_onset_min[90:101, 0].tolist() == list(range(10, -1, -1))
    assert got.has_onset[:101, 0].all()
    assert not got.has_onset[101:, 0].any()
    assert got.to_peak_min[101:120, 0].tolist() == list(range(19, 0, -1))
    assert got.inside[:, 0].sum() == 19
    assert got.event[[0, 100, 101, 119, 120], 0].tolist() == [0, 0, 0, 0, -1]
    assert np.flatnonzero(~got.at_risk[:, 0]).tolist() == list(range(101, 150))


def test_the_other_side_is_a_risk_of_its_own() -> None:
    both = [squeeze("short", 100, 110, 130), squeeze("long", 120, 140, 160)]
    got = targets(OWN.events().frames(), both)
    assert got.to_onset_min[90].tolist() == [30.0, 10.0]
    assert got.event[90].tolist() == [1, 0]
    assert got.at_risk[125].tolist() == [False, False]
    assert got.at_risk[105].tolist() == [True, False]
    assert got.at_risk[135].tolist() == [False, True]


def test_what_lies_behind_the_edge_of_a_fold_is_not_used() -> None:
    frames = OWN.events().frames()
    known, unknown = squeeze("long", 100, 120, 150), squeeze("long", 300, 320, 350)
    edge = int(OWN.end_ns[200])
    got = targets(frames, [known, unknown], edge_ns=edge)
    alone = targets(frames, [known], edge_ns=edge)
    for name in Targets.__slots__:
        np.testing.assert_array_equal(getattr(got, name), getattr(alone, name), err_msg=name)
    assert got.to_onset_min[150, 0] == 50.0
    assert not got.has_onset[150, 0]
    assert np.isnan(got.to_onset_min[201:]).all()
    assert np.isnan(got.log_vol[201:]).all()


def test_a_peak_behind_the_edge_is_not_told() -> None:
    frames = OWN.events().frames()
    got = targets(frames, [squeeze("long", 100, 120, 150)], edge_ns=int(OWN.end_ns[119]))
    assert got.has_onset[100, 0]
    assert not got.inside.any()
    assert np.isnan(got.to_peak_min).all()
    assert np.isnan(got.to_come_bps).all()


def test_a_gap_censors() -> None:
    own = OWN.without(slice(300, 310))
    frames = own.events().frames()
    got = targets(frames, [squeeze("long", 400, 420, 450)])
    before = int(np.flatnonzero(frames.end_ns == OWN.end_ns[290])[0])
    assert got.to_onset_min[before, 0] == 9.0
    assert not got.has_onset[before, 0]
    after = int(np.flatnonzero(frames.end_ns == OWN.end_ns[390])[0])
    assert got.to_onset_min[after, 0] == 10.0
    assert got.has_onset[after, 0]


def test_what_is_still_to_come() -> None:
    own = market(900, seed=5, vol=0.0006, crashes=(Crash(500, 20, 0.06),))
    frames = own.events().frames()
    [q] = catalogue(frames)
    got = targets(frames, [q])
    inside = np.flatnonzero(got.inside[:, 0])
    closes = frames.values[inside, sc.CLOSE]
    np.testing.assert_allclose(
        got.to_come_bps[inside, 0], 1e4 * np.abs(np.log(closes / q.peak_price))
    )
    assert np.isnan(np.delete(got.to_come_bps[:, 0], inside)).all()


def test_phases() -> None:
    got = targets(OWN.events().frames(), [squeeze("long", 300, 320, 350)]).phase
    assert set(got[:180]) == {NORMAL}
    assert set(got[180:301]) == {BEFORE}
    assert set(got[301:320]) == {DURING}
    assert set(got[320:470]) == {AFTER}
    assert set(got[470:]) == {NORMAL}
    assert PHASES == ("normal", "before", "during", "after")


def test_during_outranks_after_outranks_before() -> None:
    two = [squeeze("long", 300, 320, 350), squeeze("short", 310, 330, 360)]
    got = targets(OWN.events().frames(), two).phase
    assert set(got[301:330]) == {DURING}
    assert got[330] == AFTER


def test_volatility_to_come() -> None:
    frames = OWN.events().frames()
    got = targets(frames, [])
    r = np.diff(np.log(frames.values[:, sc.CLOSE]))
    for column, minutes in enumerate(VOL_MINUTES):
        for i in (0, 100, len(frames) - minutes - 1):
            ahead = np.sqrt((r[i : i + minutes] ** 2).sum() / minutes)
            assert got.log_vol[i, column] == pytest.approx(np.log(ahead), abs=1e-3)
        assert np.isnan(got.log_vol[len(frames) - minutes :, column]).all()
        assert np.isfinite(got.log_vol[: len(frames) - minutes, column]).all()
