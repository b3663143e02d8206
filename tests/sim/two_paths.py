"""The same position through the same bars, once on the fast path and once on the faithful one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_array_equal

from litehedge.backtest import Run, play, walk
from litehedge.config import Settings
from litehedge.features.vector import FeatureStream
from litehedge.feeds.replay import EventArrays
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import Policy
from litehedge.market.rows import KIND_BAR, KIND_FUNDING
from litehedge.sim.episode import (
    OUTCOME,
    PATH_DISTANCE,
    PATH_EQUITY,
    PATH_HI,
    PATH_LO,
    PATH_RATIO,
)
from litehedge.sim.execution import liquidity_decays, new_liquidity, observe_bars
from litehedge.squeeze.forecast import Forecaster, ForecastState
from litehedge.tape import Tape
from litehedge.units import NS_PER_MINUTE
from synthetic import packaged_tiers


@dataclass(frozen=True)
class Recording:
    """A market as events, what a forecaster says of it, and when the position opens."""

    events: EventArrays
    forecaster: Forecaster
    opens_ns: int
    per_frame: int

    def tape(self) -> Tape:
        """What `tape.build_tape` makes of the same events from a lake."""
        events = self.events
        is_bar = events.kinds == KIND_BAR
        ends, bars = events.known_ns[is_bar], events.values[is_bar, :5]
        frames = events.frames(self.per_frame)
        features = FeatureStream(events.interval_ns, self.per_frame).batch(frames)
        forecasts = self.forecaster.batch(
            self.forecaster.start(self.per_frame), frames.phases, frames.end_ns, features
        )
        signals = np.full((sg.N_SIGNALS, ends.size), np.nan, dtype=np.float32)
        signals[sg.STATE] = ForecastState.COLD
        signals[sg.CONFIDENCE] = 0.0
        signals[sg.ORACLE :] = 0.0
        place = {end: i for i, end in enumerate(ends.tolist())}
        places = np.array([place.get(end, -1) for end in frames.end_ns.tolist()])
        sg.write_all_signals(forecasts, features, places, signals)
        first = int(np.searchsorted(ends - events.interval_ns, self.opens_ns))
        liquidity = new_liquidity()
        decays = liquidity_decays(events.interval_ns / NS_PER_MINUTE)
        observe_bars(liquidity, np.ascontiguousarray(bars[:first]), *decays)
        is_funding = events.kinds == KIND_FUNDING
        closed = np.searchsorted(ends, events.known_ns[is_funding], side="right") - 1 - first
        return Tape(
            "made up", events.interval_ns, ends[first:], np.ascontiguousarray(bars[first:]),
            closed[closed >= 0], events.values[is_funding, 0][closed >= 0],
            np.ascontiguousarray(signals[:, first:]), liquidity, [],
        )  # fmt: skip


def both(
    recording: Recording, settings: Settings, policy: Policy, *, reopens: bool = True
) -> tuple[Run, Run]:
    """Run the fast path and the faithful one."""
    tiers = packaged_tiers()
    fast = walk(recording.tape(), settings, tiers, policy, reopens=reopens)
    faithful = play(
        recording.events.events(), recording.events.interval_ns, recording.per_frame, settings,
        tiers, policy, recording.forecaster, opens_ns=recording.opens_ns, session="two",
        reopens=reopens, held_every_ns=0,
    )  # fmt: skip
    return fast, faithful


def assert_same(fast: Run, faithful: Run, free_ratio: float) -> None:
    """Everything that was lived and paid, bit for bit; two readings to rounding."""
    assert fast.outcomes.size == faithful.outcomes.size
    summed = {"ratio_sum"} if free_ratio else set()
    for name in OUTCOME.names or ():
        one, other = fast.outcomes[name], faithful.outcomes[name]
        if name in summed:
            np.testing.assert_allclose(one, other, rtol=1e-12)
        else:
            assert_array_equal(one, other, err_msg=name)
    n = faithful.end_ns.size
    assert_array_equal(fast.end_ns[:n], faithful.end_ns)
    lived = ~np.isnan(fast.path[:n, PATH_EQUITY])
    assert_array_equal(fast.path[:n, PATH_EQUITY], faithful.path[:, PATH_EQUITY])
    held = ~np.isnan(faithful.path[:, PATH_RATIO])
    assert_array_equal(fast.path[:n][held, PATH_RATIO], faithful.path[held, PATH_RATIO])
    np.testing.assert_allclose(
        fast.path[:n][held, PATH_DISTANCE], faithful.path[held, PATH_DISTANCE],
        rtol=1e-9, atol=1e-12,
    )  # fmt: skip
    assert not np.any(held & ~lived)
    _assert_same_bands(fast, faithful, free_ratio)


def _assert_same_bands(fast: Run, faithful: Run, free_ratio: float) -> None:
    place = {end: i for i, end in enumerate(fast.end_ns.tolist())}
    for decision in faithful.decisions:
        row = fast.path[place[decision.time_ns]]
        advice = decision.recommendation
        band = (advice.lo + free_ratio, advice.hi + free_ratio)
        assert band == (row[PATH_LO], row[PATH_HI])
        assert decision.equity_usdt == row[PATH_EQUITY]
