"""The simulated venue: fills, fees, funding, liquidation and ADL, over bars, quotes or a market.

The same class serves backtest, paper and the simulated market. Over bars an order executes at the
open of the bar in which it arrives; over quotes it walks the book of the first quote after it
arrived. Liquidation looks at the mark price where there is one, else at quotes, else at the range
of bars. The venue keeps the true account; the engine sees it only through events.

In a simulated market the venue lives on what truly happens, second by second, and what feeds tell
only moves its clock: a frozen feed blinds the engine, not the venue. The grain is a second: an
order meets the book at the end of the second in which it arrives, and moves the price of the next.

Where the position is gone and a hedge is left, that hedge lives on: it may be reduced, its margin
is watched, funding settles. A fresh account that follows (see `Opening`) begins without it.
"""

from __future__ import annotations

from collections import deque
from math import inf, isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.decision import note_forced_closing, sizes
from litehedge.effects import KeepStop
from litehedge.hedge.policies import static
from litehedge.hedge.terms import terms_of
from litehedge.margin.account import (
    HEDGE,
    POSITION,
    apply_fill,
    apply_funding,
    auto_deleverage,
    deleveraging_rank,
    equity,
    new_account,
)
from litehedge.margin.liquidation import bounds, liquidate_within
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.orders.transfers import MarginTransfer
from litehedge.risk.limits import whole_lots
from litehedge.sim.execution import (
    execute,
    liquidity_decays,
    new_liquidity,
    observe_bars,
    reducing,
    walk_book,
)
from litehedge.sim.market.gateway import Market, Reply
from litehedge.sim.market.recording import Second
from litehedge.sim.opening import Opening, open_account
from litehedge.sim.transfers import Transfers
from litehedge.sim.venue_stops import Stops
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_MS

_STOP_REQUESTS: Final = 1_000_000_000
"""Requests for stops are numbered from here: they leave the luck of orders as it is."""


class SimVenue:
    """A venue that lives on the market events it is shown, or in a market that it joins.

    Parameters
    ----------
    market
        Where orders go; None where the events are all there is.
    is_felt
        Whether our orders eat that market's book; those of an account only looked at do not.
    """

    def __init__(
        self,
        settings: Settings,
        tiers: TierTable,
        opening: Opening,
        bar_ns: int,
        market: Market | None = None,
        *,
        is_felt: bool = True,
    ) -> None:
        self._settings = settings
        self._tiers = tiers
        self._opening = opening
        self._opens_ns = opening.opens_ns
        self._bar_minutes = bar_ns / NS_PER_MINUTE
        self._decays = liquidity_decays(self._bar_minutes)
        self._latency_ns = int(settings.costs.latency_ms * NS_PER_MS)
        self.liquidity = new_liquidity()
        self._bar = np.empty((1, 5))
        self._is_open = False
        self.books: NDArray[np.void] = new_account(0.0, 0.0, 0.0, 1.0)
        self._terms = terms_of(settings, static(0.0), tiers, 0.0)  # costs and contract; no policy
        self._bounds = (0.0, float("inf"))
        self._price = float("nan")
        self._mark = float("nan")  # the last one told; NaN while there is none
        self._depth = (float("inf"), float("inf"))  # USDT within 1 %, of bids and asks
        self._market = market
        self._is_felt = is_felt
        self._has_book = self._has_mark = market is not None
        self._happened: deque[ev.AccountEvent] = deque()  # not yet told
        self._orders = 0  # that we were sent
        if market is not None:
            market.join(self._live_second)
        self._pending: list[tuple[int, Order]] = []  # arrival time, order
        self._quote = (float("nan"), float("nan"))  # bid, ask; NaN while there is none
        self._stops = Stops(self._answer_stop)
        self._transfers = Transfers()
        self._ended: dict[str, ev.AccountEvent] = {}  # last word on each order, for queries

    # --- what the engine's side calls ---------------------------------------------------------

    def submit(self, order: Order, now_ns: int) -> list[ev.AccountEvent]:
        """Take an order; it arrives after the latency. A market may refuse it, or say nothing."""
        if not (self.is_open or (order.reduce_only and self._holds(order.leg))):
            return self._say(ev.OrderRejected(now_ns, now_ns, order.client_id, "no position"))
        reply = Reply(True, True, "", self._latency_ns)
        if self._market is not None:
            self._orders += 1
            reply = self._market.reply(
                self._orders, reduce_only=order.reduce_only, latency_ns=self._latency_ns
            )
        said: list[ev.AccountEvent] = []
        if reply.is_taken:
            self._pending.append((now_ns + reply.latency_ns, order))
            said = self._say(ev.OrderAccepted(now_ns, now_ns, order.client_id))
        if not reply.is_told:
            return [ev.OrderUnknown(now_ns, now_ns, order.client_id)]
        name, why = order.client_id, reply.why
        return said or self._say(ev.OrderRejected(now_ns, now_ns, name, why, reply.raises_only))

    def query(self, client_id: str, now_ns: int) -> list[ev.AccountEvent]:
        """Return the last word on an order; an order we never saw was never accepted.

        A venue that is down answers nothing. What is on its way to be told is not told twice: until
        then the order is at work.
        """
        if self._is_down:
            return []
        if any(getattr(event, "client_id", "") == client_id for event in self._happened):
            return [ev.OrderAccepted(now_ns, now_ns, client_id)]
        if client_id in self._ended:
            return [self._ended[client_id]]
        return [ev.OrderRejected(now_ns, now_ns, client_id, "the venue has no such order")]

    def transfer(self, transfer: MarginTransfer, now_ns: int) -> list[ev.AccountEvent]:
        """Send margin to the other venue; one that is down hears nothing and says nothing."""
        if self._is_down:
            return [ev.TransferUnknown(now_ns, now_ns, transfer.transfer_id)]
        said = self._transfers.take(transfer, self.books, self._price, self._terms, now_ns)
        self._set_bounds(self._price)
        return said

    def query_transfer(self, transfer_id: str, now_ns: int) -> list[ev.AccountEvent]:
        """Return the last word on a transfer; a venue that is down says none, nor one twice."""
        is_told_soon = any(getattr(e, "transfer_id", "") == transfer_id for e in self._happened)
        if is_told_soon or self._is_down:
            return []
        return self._transfers.query(transfer_id, now_ns)

    def cancel_all(self, now_ns: int) -> list[ev.AccountEvent]:
        """Cancel whatever has not arrived yet; a venue that is down does not hear of it."""
        return [] if self._is_down else self._cancel_all(now_ns)

    def keep_stop(self, stop: KeepStop, now_ns: int) -> list[ev.AccountEvent]:
        """Keep a protective stop; it arrives after the latency, and what fails is tried again."""
        return self._stops.keep(stop, now_ns)

    def _answer_stop(self, number: int) -> Reply:
        if self._market is None:
            return Reply(True, True, "", self._latency_ns)
        return self._market.reply(
            _STOP_REQUESTS + number, reduce_only=True, latency_ns=self._latency_ns
        )

    def _cancel_all(self, now_ns: int) -> list[ev.AccountEvent]:
        pending, self._pending = self._pending, []
        said: list[ev.AccountEvent] = []
        for _, order in pending:
            said += self._say(ev.OrderExpired(now_ns, now_ns, order.client_id, "cancelled"))
        return said

    @property
    def _is_down(self) -> bool:
        return self._market is not None and self._market.is_down

    @property
    def is_open(self) -> bool:
        """Whether the user holds a position."""
        return self._is_open

    def _holds(self, leg: int) -> bool:
        return bool(self.books["qty"][0, leg] != 0.0)

    @property
    def _is_alive(self) -> bool:
        """Whether there is anything that margin is needed for: a position, or a hedge alone."""
        return self._is_open or self._holds(HEDGE)

    def sizes(self) -> tuple[float, float]:
        """Return the unsigned sizes of position and hedge in LTC, as the engine counts them."""
        position, hedge = sizes(self._terms, self.books)
        return float(position), float(hedge)

    def equity(self) -> float:
        """Return the account's true equity at the last price."""
        return float(equity(self.books, self._price))

    # --- the market ---------------------------------------------------------------------------

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        """Let the market move; return what happened to the account, in order.

        In a market that we joined the event is only what a feed tells: it says what time it is.
        """
        if self._market is not None:
            told: list[ev.AccountEvent] = []
            while self._happened and self._happened[0].known_ns <= event.known_ns:
                told.append(self._happened.popleft())
            return told
        kind = type(event)
        if kind is ev.Book:
            self._has_book = True
            self._depth = (event.bid_depth_usdt, event.ask_depth_usdt)  # type: ignore[union-attr]
            return self._on_quote(event.known_ns, event.bid, event.ask)  # type: ignore[union-attr]
        if kind is ev.Trade:
            return self._on_trade(event)  # type: ignore[arg-type]
        if kind is ev.Bar:
            # Quotes, where there are some, drive the account instead.
            is_ours = event.asset == "LTC" and not self._has_book  # type: ignore[union-attr]
            return self._on_bar(event) if is_ours else []  # type: ignore[arg-type]
        if kind is ev.Mark:
            self._has_mark = True
            self._mark = event.price  # type: ignore[union-attr]
            return self._on_mark(event.known_ns, event.price)  # type: ignore[union-attr]
        if kind is ev.Funding and self._is_alive:
            return self._settle(event.event_ns, event.known_ns, event.rate)  # type: ignore[union-attr]
        return []

    def _live_second(self, second: Second) -> None:
        """Live through a second of the market that we joined; remember what it did to us."""
        self._depth = (second.bid_depth_usdt, second.ask_depth_usdt)
        self._mark = second.mark
        said = self._on_quote(second.now_ns, second.bid, second.ask)
        if self._is_alive:
            said += self._on_deleveraging(second)
            held = float(self.books["qty"].sum())
            forced = self._on_mark(second.now_ns, second.mark)
            said += forced
            if any(isinstance(one, ev.Liquidated) for one in forced):
                stopped = sum(e.qty_ltc for e in forced if isinstance(e, ev.StopFilled))
                closed = float(self.books["qty"].sum()) - held - stopped  # what was liquidated
                self._eat(closed * second.mark)
        if self._is_alive and not isnan(second.settled_rate):
            said += self._settle(second.now_ns, second.now_ns, second.settled_rate)
        self._happened += said

    def _settle(self, event_ns: int, known_ns: int, rate: float) -> list[ev.AccountEvent]:
        at = self._price if isnan(self._mark) else self._mark
        apply_funding(self.books, at, rate)
        self._set_bounds(at)
        return [ev.FundingPaid(event_ns, known_ns, at, rate)]

    def _on_deleveraging(self, second: Second) -> list[ev.AccountEvent]:
        """Close what the wave reaches of our winning legs, at the mark and without a fee.

        A venue closes at the bankruptcy price of whom it liquidates; the crowd has none that is
        known, and the mark is near it.
        """
        if self._market is None or second.deleveraged_long_ltc + second.deleveraged_short_ltc <= 0:
            return []
        said: list[ev.AccountEvent] = []
        for leg in (POSITION, HEDGE):
            held = float(self.books["qty"][0, leg])
            rank = float(deleveraging_rank(self.books, leg, second.mark))
            size = self._market.deleverages(second, held, rank)
            if size < abs(held):
                size = float(whole_lots(size, float(self._terms["lot"][0])))
            if held == 0.0 or size <= 0.0:
                continue
            _, hedge = self.sizes()
            qty = auto_deleverage(self.books, leg, size / abs(held), second.mark)
            said.append(ev.Deleveraged(second.now_ns, second.now_ns, leg, qty, second.mark))
            if leg == POSITION:
                note_forced_closing(self._terms, self.books, hedge)
                if self._is_open and not self._holds(POSITION):
                    said = self._cancel_all(second.now_ns) + said
                    self._end_life(second.now_ns)
                    break
        self._set_bounds(second.mark)
        return said + self._stops.drop_gone(self.books, second.now_ns)

    def _eat(self, usdt: float) -> None:
        if self._market is not None and self._is_felt:
            self._market.trade(usdt)

    def _on_bar(self, bar: ev.Bar) -> list[ev.AccountEvent]:
        open_ns = bar.event_ns - bar.interval_ns
        said: list[ev.AccountEvent] = []
        if not self.is_open and open_ns >= self._opens_ns:
            said.append(self._open(bar.open, open_ns))
        said += self._arrived_money(bar.open, open_ns)
        for arrival_ns, order in self._arrived(bar.event_ns - 1):
            said += self._execute(order, max(open_ns, arrival_ns), bar.open, bar.volume)
        if self._is_alive:
            said += self._stops.look(open_ns)
            said += self._stops.arrive(self.books, bar.open, bar.event_ns - 1)
            said += self._watch_margin(bar.open, bar.low, bar.high, bar.event_ns)
        self._bar[0] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        observe_bars(self.liquidity, self._bar, *self._decays)
        self._price = bar.close
        return said

    def _on_trade(self, trade: ev.Trade) -> list[ev.AccountEvent]:
        if self._has_book:  # quotes drive the account
            return []
        half = trade.price * float(self._terms["half_spread"][0])
        return self._on_quote(trade.known_ns, trade.price - half, trade.price + half)

    def _on_quote(self, now_ns: int, bid: float, ask: float) -> list[ev.AccountEvent]:
        middle = 0.5 * (bid + ask)
        self._price, self._quote = middle, (bid, ask)
        said: list[ev.AccountEvent] = []
        if not self._is_open and now_ns >= self._opens_ns:
            said.append(self._open(middle, now_ns))
        if self._transfers.is_busy:
            said += self._arrived_money(middle, now_ns)
        if self._pending and not self._is_down:
            for _, order in self._arrived(now_ns):
                said += self._fill_at_quote(order, now_ns, bid, ask)
        return said if self._has_mark else said + self._on_mark(now_ns, middle)

    def _on_mark(self, now_ns: int, mark: float) -> list[ev.AccountEvent]:
        if not self._is_open and not self._holds(HEDGE):
            return []
        low, high = self._bounds
        if low < mark < high and self._stops.is_quiet_at(mark):
            return []
        said: list[ev.AccountEvent] = []
        if self._stops.is_busy:
            said += self._stops.look(now_ns)
            if not self._is_down:
                said += self._stops.arrive(self.books, mark, now_ns)
        if low < mark < high and not self._stops.is_hit(mark, mark):
            return said
        return said + self._watch_margin(mark, mark, mark, now_ns)

    # --- pieces -------------------------------------------------------------------------------

    def _open(self, price: float, now_ns: int) -> ev.Opened:
        plan = open_account(self._settings, price, self._opening.free_ratio)
        self.books = new_account(
            plan.wallet_usdt, plan.qty_ltc, price, plan.leverage,
            isolated=plan.isolated, second_wallet_usdt=plan.second_wallet_usdt,
        )  # fmt: skip
        self._terms["size"] = abs(plan.qty_ltc)
        self._transfers.forget()
        self._stops.forget()
        self._is_open = True
        self._set_bounds(price)
        return ev.Opened(
            now_ns, now_ns, plan.wallet_usdt, plan.second_wallet_usdt, plan.qty_ltc, price,
            plan.leverage, plan.isolated,
        )  # fmt: skip

    def _arrived_money(self, mark: float, until_ns: int) -> list[ev.AccountEvent]:
        if said := self._transfers.arrivals(self.books, until_ns):
            self._set_bounds(mark)
        return said

    def _arrived(self, until_ns: int) -> list[tuple[int, Order]]:
        arrived = [entry for entry in self._pending if entry[0] <= until_ns]
        if arrived:
            self._pending = [entry for entry in self._pending if entry[0] > until_ns]
        return arrived

    def _execute(
        self, order: Order, when_ns: int, open_: float, volume: float
    ) -> list[ev.AccountEvent]:
        qty, price, fee, slippage = execute(
            self._reducing(order), float(order.limit_usdt), open_, volume, self._bar_minutes,
            self.liquidity, self._terms,
        )  # fmt: skip
        return self._book(order, when_ns, qty, price, fee, slippage, open_)

    def _fill_at_quote(
        self, order: Order, now_ns: int, bid: float, ask: float
    ) -> list[ev.AccountEvent]:
        """Walk the book from the touch, no further than the limit; the rest is gone (IOC)."""
        qty, price, fee, slippage = walk_book(
            self._reducing(order), float(order.limit_usdt), bid, ask, self._depth,
            float(self._terms["taker_fee"][0]), float(self._terms["lot"][0]),
        )  # fmt: skip
        if qty != 0.0:
            self._eat(qty * price)
        return self._book(order, now_ns, qty, price, fee, slippage, 0.5 * (bid + ask))

    def _reducing(self, order: Order) -> float:
        held = float(self.books["qty"][0, order.leg])
        return reducing(order, held, float(self._terms["lot"][0]))

    def _book(
        self, order: Order, when_ns: int, qty: float, price: float, fee: float, slippage: float,
        mark: float,
    ) -> list[ev.AccountEvent]:  # fmt: skip
        said: list[ev.AccountEvent] = []
        allowed = self._reducing(order)
        if qty != 0.0:
            apply_fill(self.books, order.leg, qty, price, fee, slippage)
            self._set_bounds(mark)
            who = (when_ns, when_ns, order.client_id, order.leg)
            said += self._say(ev.OrderFilled(*who, qty, price, fee, slippage))
            if self._is_open and self.sizes()[0] == 0.0:  # closed, since no hedge was taken
                self._end_life(when_ns)
        if abs(qty) < abs(float(order.qty_ltc)):
            why = "beyond the collar" if qty == 0.0 else "the rest found no volume"
            if qty == allowed:
                why = "there is nothing left to reduce"
            said += self._say(ev.OrderExpired(when_ns, when_ns, order.client_id, why))
        return said + self._stops.drop_gone(self.books, when_ns)

    def _watch_margin(
        self, open_: float, low: float, high: float, now_ns: int
    ) -> list[ev.AccountEvent]:
        """Let the mark go from `open_` as far as `low` and `high`; stops and liquidation fire."""
        said: list[ev.AccountEvent] = []
        is_cancelled = False
        while True:
            if fires := self._stops.first(open_, low, high, self._bounds):
                leg, open_ = fires
                said += self._fire(leg, open_, now_ns)
                continue
            if not (low <= self._bounds[0] or high >= self._bounds[1]):
                return said
            if not is_cancelled:
                said += self._cancel_all(now_ns)  # the venue cancels everything first
                is_cancelled = True
            _, hedge = self.sizes()
            before = self.books["qty"][0].copy()
            # What is left of the position may die in the same bar.
            open_ = liquidate_within(
                self.books, *self._bounds, open_, low, high, self._tiers.rows,
                self._tiers.clearance_fee,
            )  # fmt: skip
            note_forced_closing(self._terms, self.books, hedge)
            self._set_bounds(open_)
            if self._is_open and not self._holds(POSITION):
                self._end_life(now_ns)
            said.append(ev.Liquidated(now_ns, now_ns, float(open_), self.is_open))
            said += self._stops.drop_gone(self.books, now_ns)
            wallets = self.books["wallet_of"][0]
            hit = set(wallets[self.books["qty"][0] != before].tolist())
            said += self._stops.cancel([x for x in (0, 1) if wallets[x] in hit], now_ns)

    def _fire(self, leg: int, mark: float, now_ns: int) -> list[ev.AccountEvent]:
        """Trade a stop of ours at the market, whatever it costs; it closes what its leg holds."""
        held = float(self.books["qty"][0, leg])
        _, hedge = self.sizes()
        size = min(self._stops.fired(leg), abs(held))
        qty = float(np.copysign(size, -held))
        limit = inf if qty > 0.0 else 0.0
        if self._has_book:
            fill = walk_book(
                qty, limit, *self._quote, self._depth, float(self._terms["taker_fee"][0]),
                float(self._terms["lot"][0]),
            )  # fmt: skip
            self._eat(fill[0] * fill[1])
        else:
            # A market order takes what the bar has and more: its impact grows with its size.
            fill = execute(qty, limit, mark, inf, self._bar_minutes, self.liquidity, self._terms)
        qty, price, fee, _ = fill
        apply_fill(self.books, leg, qty, price, fee, 0.0)
        said: list[ev.AccountEvent] = [ev.StopFilled(now_ns, now_ns, leg, qty, price, fee)]
        if leg == POSITION:
            note_forced_closing(self._terms, self.books, hedge)
            if self._is_open and not self._holds(POSITION):
                said = self._cancel_all(now_ns) + said
                self._end_life(now_ns)
        self._set_bounds(mark)
        return said + self._stops.drop_gone(self.books, now_ns)

    def _end_life(self, now_ns: int) -> None:
        self._is_open = False
        midnight = (now_ns // NS_PER_DAY + 1) * NS_PER_DAY
        self._opens_ns = midnight if self._opening.reopens else np.iinfo(np.int64).max

    def _set_bounds(self, price: float) -> None:
        """Find the marks at which the account dies, from where the mark is now."""
        at = price if isnan(self._mark) else self._mark
        self._bounds = bounds(self.books, at, self._tiers.rows)

    def _say(self, event: ev.AccountEvent) -> list[ev.AccountEvent]:
        self._ended[event.client_id] = event  # type: ignore[union-attr]
        return [event]
