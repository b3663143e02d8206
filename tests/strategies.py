"""Hypothesis strategies that several tests share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.market import events as ev


def log_floats(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers whose logarithm is spread evenly."""
    return st.floats(math.log(low), math.log(high)).map(math.exp)


prices = log_floats(20.0, 400.0)
ratios = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
sides = st.sampled_from([1.0, -1.0])
instants = st.integers(1_600_000_000 * 10**9, 1_700_000_000 * 10**9)


# --- accounts ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """An account to build: a position of `notional` at `entry`, hedged by `ratio` later."""

    entry: float
    notional: float
    side: float
    leverage: float
    kind: str  # cross, isolated, two wallets, isolated on two venues
    second_share: float  # second wallet, as a share of the first
    ratio: float
    hedge_move: float  # log move of the price until the hedge was put on

    @property
    def qty(self) -> float:
        return self.side * self.notional / self.entry

    @property
    def wallet(self) -> float:
        return self.notional / self.leverage

    @property
    def isolated(self) -> bool:
        return self.kind in ("isolated", "isolated on two venues")

    @property
    def second_wallet(self) -> float | None:
        if self.kind in ("two wallets", "isolated on two venues"):
            return self.second_share * self.wallet
        return None

    @property
    def hedge_price(self) -> float:
        return self.entry * math.exp(self.hedge_move)


KINDS = ("cross", "isolated", "two wallets", "isolated on two venues")


def plans(kinds: tuple[str, ...] = KINDS, largest: float = 6e7) -> st.SearchStrategy[Plan]:
    """Accounts of all sizes, so that tiers change between entry and liquidation."""
    return st.builds(
        Plan,
        entry=prices,
        notional=log_floats(50.0, largest),
        side=sides,
        leverage=log_floats(1.2, 60.0),
        kind=st.sampled_from(kinds),
        second_share=st.floats(0.1, 2.0),
        ratio=st.one_of(st.just(0.0), st.just(1.0), ratios),
        hedge_move=st.floats(-0.02, 0.02),
    )


# --- events -----------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
told = st.one_of(finite, st.just(ev.UNKNOWN))
times = st.integers(-(2**60), 2**62)
texts = st.text(max_size=20)
client_ids = st.one_of(texts, st.just("lh-test-000000"))


def any_events() -> st.SearchStrategy[ev.AnyEvent]:
    """Every kind of event with any content that its type allows."""
    two = (times, times)
    return st.one_of(
        st.builds(ev.Bar, *two, st.sampled_from(["LTC", "BTC"]), times, *[finite] * 5, told),
        st.builds(ev.Trade, *two, finite, finite, st.booleans()),
        st.builds(ev.Book, *two, *[finite] * 4, *[told] * 4),
        st.builds(
            ev.Liquidation,
            *two,
            st.sampled_from(["long", "short"]),
            finite,
            st.sampled_from(["all", "largest"]),
        ),
        st.builds(ev.Funding, *two, finite),
        st.builds(ev.OpenInterest, *two, finite),
        st.builds(ev.Mark, *two, finite),
        st.builds(ev.Index, *two, finite),
        st.builds(ev.LongShortRatio, *two, finite),
        st.builds(ev.Transfer, *two, finite, st.booleans()),
        st.builds(ev.Sentiment, *two, finite),
        st.builds(ev.PredictedFunding, *two, st.sampled_from(ev.FUNDING_VENUES), finite),
        st.builds(ev.Tick, *two),
        st.builds(
            ev.Opened,
            *two,
            finite,
            st.none() | finite,
            finite,
            finite,
            finite,
            st.booleans(),
            finite,
            finite,
            st.booleans(),
        ),
        st.builds(ev.Reported, *two, *[told] * 8),
        st.builds(ev.OrderAccepted, *two, texts),
        st.builds(ev.OrderRejected, *two, texts, texts, st.booleans()),
        st.builds(ev.OrderFilled, *two, texts, st.integers(0, 1), *[finite] * 4),
        st.builds(ev.OrderExpired, *two, texts, texts),
        st.builds(ev.OrderUnknown, *two, texts),
        st.builds(ev.FundingPaid, *two, told, told, told, st.integers(0, 1)),
        st.builds(ev.Liquidated, *two, finite, st.booleans(), st.integers(0, 1), told, finite),
        st.builds(ev.Deleveraged, *two, st.integers(0, 1), finite, finite),
        st.builds(
            ev.ContractChanged,
            *two,
            st.booleans(),
            *[finite] * 6,
            st.lists(st.tuples(*[finite] * 4), max_size=3).map(tuple),
            st.booleans(),
        ),
        st.builds(ev.Halt, *two, texts),
        st.builds(ev.Resume, *two, texts),
        st.builds(ev.SetHedge, *two, finite, times),
        st.builds(ev.Freeze, *two, times),
        st.builds(ev.Follow, *two),
        st.builds(ev.Adopt, *two),
        st.builds(ev.Ignore, *two),
        st.builds(ev.CloseAll, *two, texts),
    )


# --- signals ----------------------------------------------------------------------------------


@st.composite
def signal_rows(draw: st.DrawFn, *, state: int | None = None) -> NDArray[np.float32]:
    """Signals of one frame, (signal, 1), as a warm forecaster gives them.

    `state` None draws one that speaks.
    """
    row = np.zeros(sg.N_SIGNALS, dtype=np.float32)
    row[sg.STATE] = draw(st.sampled_from([0, 1])) if state is None else state
    row[sg.CONFIDENCE] = draw(st.floats(0.05, 1.0))
    for side in range(2):
        onset = sorted(draw(st.floats(0.0, 0.45)) for _ in range(3))
        row[sg.ONSET + 3 * side : sg.ONSET + 3 * side + 3] = onset
        first = draw(st.floats(0.005, 0.03))
        growth = np.cumprod([1.0] + [1.0 + draw(st.floats(0.01, 1.0)) for _ in range(4)])
        row[sg.SEVERITY + 5 * side : sg.SEVERITY + 5 * side + 5] = first * growth
    row[sg.VOL_30] = draw(log_floats(1e-4, 1e-2))
    row[sg.VOL_120] = row[sg.VOL_30] * draw(st.floats(0.4, 1.5))
    row[sg.SIGMA] = draw(log_floats(3e-4, 3e-3))
    row[sg.VOL_RULE] = draw(log_floats(2e-4, 2e-2))
    row[sg.MOVE_15M] = draw(st.floats(-0.08, 0.08))
    row[sg.VOLUME] = draw(log_floats(1.0, 1e5))
    row[sg.DEPTH] = np.nan
    row[sg.FUNDING] = draw(st.floats(-3e-3, 3e-3))
    return row[:, np.newaxis]
