"""A session told again from its journal: its run, and the backtest of the same period beside it.

The market of a journal becomes bars of a minute. On these the same position is carried by the
engine and the simulated venue as a backtest would do it. What differs is the gap between paper
(or live) and backtest; it is split by what it was paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from litehedge import backtest as bt
from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import Decision
from litehedge.engine import step
from litehedge.engine_state import State
from litehedge.errors import UsageError
from litehedge.feeds.replay import EventArrays
from litehedge.hedge.policies import Policy
from litehedge.ledger.heard import Heard
from litehedge.ledger.seat import Seat
from litehedge.margin.account import equity
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.market.bars import as_bars
from litehedge.market.rows import N_VALUES, row_of
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.manager import Order
from litehedge.squeeze.forecast import Forecaster
from litehedge.tape import FRAME_NS, Tape, tape_of

_MARKET: Final = frozenset(get_args(ev.MarketEvent))
BAR_NS: Final = FRAME_NS
BPS: Final = 1e4


@dataclass(frozen=True, slots=True)
class Gap:
    """What a run has more than the backtest of its period, in bps of the first wallet.

    The parts add up to the whole. `fees`, `slippage`, `funding`, `forced` are what it paid less;
    `timing` is the rest: other prices, other moments, other sizes of the same hedge.
    """

    whole_bps: float
    fees_bps: float
    slippage_bps: float
    funding_bps: float
    forced_bps: float
    timing_bps: float
    trades: int
    backtest_trades: int


@dataclass(frozen=True, slots=True)
class Recount:
    """A session's run, and the runs of the same period that it is measured by."""

    tape: Tape
    run: bt.Run
    backtest: bt.Run
    unhedged: bt.Run  # the same positions, opened at the same moments and prices
    gap: Gap


class _Books:
    """The engine's books, where `backtest.Recorder` looks for a venue's."""

    def __init__(self, state: State, price: Callable[[], float]) -> None:
        self._state = state
        self._price = price

    @property
    def books(self) -> NDArray[np.void]:
        return self._state.books

    @property
    def is_open(self) -> bool:
        return self._state.is_open

    def sizes(self) -> tuple[float, float]:
        position, hedge = sizes(self._state.terms, self._state.books)
        return float(position), float(hedge)

    def equity(self) -> float:
        return float(equity(self._state.books, self._price()))


def run_of(
    events: Iterable[ev.AnyEvent],
    state: State,
    decisions: list[Decision],
    orders: Mapping[str, Order],
    *,
    name: str,
) -> bt.Run:
    """Return the run that a journal's events tell.

    Parameters
    ----------
    events
        All of them, in order, the market's as bars (`market.bars.as_bars`).
    state
        A fresh state of the session's settings; only account events and commands reach it, so
        that no model is asked.
    decisions
        What the session decided.
    orders
        What it sent, by client id.

    Raises
    ------
    UsageError
        When no position was ever opened, or not for a minute.
    """
    last = [float("nan")]
    recorder: bt.Recorder | None = None
    for event in events:
        if type(event) not in _MARKET:
            if recorder is None and isinstance(event, ev.Opened):
                books = _Books(state, lambda: last[0])
                began_ns = event.known_ns // BAR_NS * BAR_NS
                recorder = bt.Recorder(books, state, began_ns, 0.0, lambda _: None)
            sent = orders.get(getattr(event, "client_id", ""))
            if sent is not None and (
                state.order is None or state.order.client_id != sent.client_id
            ):
                state.order = sent  # no decision was made again: what was sent is in the journal
            state, _ = step(state, event)
            resumed = isinstance(event, ev.Opened) and event.is_resumed
            if recorder is not None and not resumed:
                recorder(event, [])
        elif isinstance(event, ev.Bar) and event.asset == "LTC":
            last[0] = event.close
            if recorder is not None:
                recorder(event, [])
    if recorder is None:
        raise UsageError("no position was ever opened in this session", "let it run for longer")
    run = recorder.result(name)
    if run.end_ns.size == 0:
        raise UsageError("the session is younger than a minute", "let it run for longer")
    run.decisions.extend(decisions)
    return run


def unhedged_of(
    events: Iterable[ev.AnyEvent], state: State, seat: Seat, *, reopens: bool
) -> bt.Run:
    """Return the run of the session's positions had nobody hedged them.

    They are opened where the session's were, at its prices, and live on the market that it saw: a
    session that never hedged is no better and no worse than this.

    Parameters
    ----------
    events
        As for `run_of`.
    state
        A fresh state of the session's settings.
    seat
        A venue without an account, which opens again by itself if `reopens`.
    """
    recorder: bt.Recorder | None = None
    for event in events:
        if type(event) in _MARKET:
            happened: list[ev.AnyEvent] = [*seat.on_market(event)]  # type: ignore[arg-type]
            if isinstance(event, ev.Bar) and event.asset == "LTC":
                happened.append(event)
        elif isinstance(event, ev.Opened) and not event.is_resumed:
            if recorder is None:
                began_ns = event.known_ns // BAR_NS * BAR_NS
                recorder = bt.Recorder(seat, state, began_ns, 0.0, lambda _: None)
            elif reopens:
                continue  # of its own: here it may have lived on
            happened = [replace(event, hedge_qty_ltc=0.0, hedge_entry_usdt=0.0)]
        else:
            continue
        for one in happened:
            if type(one) not in _MARKET:
                state, _ = step(state, one)
            if type(event) not in _MARKET:
                seat.take_over(state)
            if recorder is not None:
                recorder(one, [])
    if recorder is None:
        raise UsageError("no position was ever opened in this session", "let it run for longer")
    return recorder.result("unhedged")


def tape_of_events(events: Iterable[ev.AnyEvent], start_ns: int, name: str) -> Tape:
    """Return the market of a session as a tape of minutes; it has no forecasts."""
    rows: list[tuple[float, ...]] = []
    times: list[tuple[int, int]] = []
    bars: list[tuple[int, float, float, float, float, float]] = []
    for event in events:
        if type(event) not in _MARKET:
            continue
        rows.append(row_of(event))  # type: ignore[arg-type]
        times.append((event.event_ns, event.known_ns))
        if isinstance(event, ev.Bar) and event.asset == "LTC":
            bars.append(
                (event.event_ns, event.open, event.high, event.low, event.close, event.volume)
            )
    table = np.array(rows)
    stamps = np.array(times, dtype=np.int64)
    arrays = EventArrays(
        table[:, 0].astype(np.int8), stamps[:, 0], stamps[:, 1],
        np.ascontiguousarray(table[:, 1 : 1 + N_VALUES]), BAR_NS,
    )  # fmt: skip
    names = ("event_ns", "open", "high", "low", "close", "volume")
    frame = pl.DataFrame(bars, schema=list(names), orient="row")
    return tape_of(name, BAR_NS, [(arrays, frame)], BlindForecaster(), start_ns, len(bars))


def backtest_of(
    events: Iterable[ev.AnyEvent],
    settings: Settings,
    tiers: TierTable,
    policy: Policy,
    forecaster: Forecaster,
    frame_ns: int,
    opens_ns: int,
) -> bt.Run:
    """Carry the same position through a session's market, told as bars of a minute."""

    def market() -> Iterator[ev.MarketEvent]:
        for event in events:
            if type(event) in _MARKET:
                yield event  # type: ignore[misc]

    return bt.play(
        market(), BAR_NS, max(1, frame_ns // BAR_NS), settings, tiers, policy, forecaster,
        opens_ns=opens_ns, session="again",
    )  # fmt: skip


def gap_of(run: bt.Run, backtest: bt.Run) -> Gap:
    """Return by how much a run ended above its backtest, and what made it so."""
    ours, theirs = run.outcomes, backtest.outcomes
    wallet = float(ours["wallet"][0])

    def less_paid(*names: str) -> float:
        paid = sum(float(ours[n].sum()) - float(theirs[n].sum()) for n in names)
        return -paid / wallet * BPS

    def pnl(lives: NDArray[np.void]) -> float:
        return float((lives["equity"] - lives["wallet"]).sum())

    whole = (pnl(ours) - pnl(theirs)) / wallet * BPS
    fees, slippage = less_paid("fees"), less_paid("slippage")
    funding = less_paid("funding")
    forced = less_paid("clearance", "insurance", "transfer_fees")
    return Gap(
        whole_bps=whole, fees_bps=fees, slippage_bps=slippage, funding_bps=funding,
        forced_bps=forced, timing_bps=whole - fees - slippage - funding - forced,
        trades=int(ours["trades"].sum()), backtest_trades=int(theirs["trades"].sum()),
    )  # fmt: skip


def recount(
    stream: Callable[[], Iterator[ev.AnyEvent]],
    state: State,
    forecaster: Forecaster,
    decisions: list[Decision],
    orders: Mapping[str, Order],
    *,
    name: str,
    reopens: bool = True,
    progress: Callable[[str], Any] = lambda what: None,
) -> Recount:
    """Tell a session again.

    Parameters
    ----------
    stream
        Yields the journal's events from the beginning, each time it is called.
    state
        A fresh state of the session.
    reopens
        Whether a position that died was opened again at midnight, as on paper.
    """
    fixed = state.fixed
    other = Heard().twin(state)
    progress("its own run")
    run = run_of(as_bars(stream(), BAR_NS), state, decisions, orders, name=name)
    opens_ns = int(run.end_ns[0]) - BAR_NS
    progress("its market")
    tape = tape_of_events(as_bars(stream(), BAR_NS), opens_ns, name)
    progress("the backtest of the same period")
    again = backtest_of(
        as_bars(stream(), BAR_NS), fixed.settings, fixed.tiers, fixed.policy, forecaster,
        fixed.atom_ns * fixed.per_frame, opens_ns,
    )  # fmt: skip
    progress("the same positions without a hedge")
    seat = Seat(fixed.settings, fixed.tiers, BAR_NS, is_on_bars=False, reopens=reopens)
    unhedged = unhedged_of(as_bars(stream(), BAR_NS), other, seat, reopens=reopens)
    return Recount(tape, run, again, unhedged, gap_of(run, again))
