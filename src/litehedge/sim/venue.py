"""The simulated venue: fills, fees, funding and liquidation, over bars or over quotes.

The same class serves backtest and paper. Over bars an order executes at the open of the bar in
which it arrives; over quotes it walks the book of the first quote after it arrived. Liquidation
looks at the mark price where there is one, else at quotes, else at the range of bars. The venue
keeps the true account; the engine sees it only through events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.decision import note_forced_closing, sizes
from litehedge.hedge.policies import static
from litehedge.hedge.terms import terms_of
from litehedge.margin.account import POSITION, apply_fill, apply_funding, equity, new_account
from litehedge.margin.liquidation import bounds, liquidate_within
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.risk.limits import whole_lots
from litehedge.sim.execution import execute, liquidity_decays, new_liquidity, observe_bars
from litehedge.sim.market.book import consumption, walked
from litehedge.units import LONG, NS_PER_DAY, NS_PER_MINUTE, NS_PER_MS, SHORT


class Market(Protocol):
    """What a venue needs of a market that reacts to its orders."""

    def trade(self, usdt: float) -> None:
        """Let an order eat the book."""

    def refuses(self, *, reduce_only: bool) -> str:
        """Return why no such order is taken now; empty when it is."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The position that the user holds from `opens_ns` on, bought at the next open.

    `free_ratio` is the share by which it is smaller from the start: a static hedge. With
    `reopens`, the same position with a fresh wallet follows a liquidation at the next midnight
    (UTC).
    """

    opens_ns: int
    reopens: bool
    free_ratio: float = 0.0


def position_size(settings: Settings, entry_usdt: float, free_ratio: float) -> float:
    """Return the signed position in LTC that wallet and leverage buy, in whole lots."""
    wanted = settings.position
    side = LONG if wanted.side == "long" else SHORT
    capital = wanted.wallet_usdt * (1.0 - second_share(settings))
    size = wanted.leverage * capital * (1.0 - free_ratio) / entry_usdt
    return float(side * whole_lots(size, settings.venue.lot_ltc))


def second_share(settings: Settings) -> float:
    """Return the share of the capital that waits on a second venue, 0 without one."""
    is_second = settings.hedge.location == "second_venue"
    return settings.hedge.second_wallet_share if is_second else 0.0


def open_account(settings: Settings, entry_usdt: float, free_ratio: float) -> ev.Opened:
    """Return the account event that opens the position; its times are still 0."""
    share = second_share(settings)
    wallet = settings.position.wallet_usdt
    return ev.Opened(
        event_ns=0,
        known_ns=0,
        wallet_usdt=wallet * (1.0 - share),
        second_wallet_usdt=wallet * share if share > 0.0 else None,
        qty_ltc=position_size(settings, entry_usdt, free_ratio),
        entry_usdt=entry_usdt,
        leverage=settings.position.leverage,
        isolated=settings.position.margin_mode == "isolated",
    )


class SimVenue:
    """A venue that lives on the market events it is shown."""

    def __init__(
        self,
        settings: Settings,
        tiers: TierTable,
        opening: Opening,
        bar_ns: int,
        market: Market | None = None,
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
        self._depth = (float("inf"), float("inf"))  # USDT within 1 %, of bids and asks
        self._market = market
        self._has_book = False
        self._has_mark = False
        self._pending: list[tuple[int, Order]] = []  # arrival time, order
        self._ended: dict[str, ev.AccountEvent] = {}  # last word on each order, for queries

    # --- what the engine's side calls ---------------------------------------------------------

    def submit(self, order: Order, now_ns: int) -> list[ev.AccountEvent]:
        """Take an order; it arrives after the latency."""
        if not self.is_open:
            return self._say(ev.OrderRejected(now_ns, now_ns, order.client_id, "no position"))
        if self._market is not None:
            why = self._market.refuses(reduce_only=order.reduce_only)
            if why:
                return self._say(ev.OrderRejected(now_ns, now_ns, order.client_id, why))
        self._pending.append((now_ns + self._latency_ns, order))
        return self._say(ev.OrderAccepted(now_ns, now_ns, order.client_id))

    def query(self, client_id: str, now_ns: int) -> list[ev.AccountEvent]:
        """Return the last word on an order; an order we never saw was never accepted."""
        if client_id in self._ended:
            return [self._ended[client_id]]
        return [ev.OrderRejected(now_ns, now_ns, client_id, "the venue has no such order")]

    def cancel_all(self, now_ns: int) -> list[ev.AccountEvent]:
        """Cancel whatever has not arrived yet."""
        pending, self._pending = self._pending, []
        said: list[ev.AccountEvent] = []
        for _, order in pending:
            said += self._say(ev.OrderExpired(now_ns, now_ns, order.client_id, "cancelled"))
        return said

    @property
    def is_open(self) -> bool:
        """Whether the user holds a position."""
        return self._is_open

    def sizes(self) -> tuple[float, float]:
        """Return the unsigned sizes of position and hedge in LTC, as the engine counts them."""
        position, hedge = sizes(self._terms, self.books)
        return float(position), float(hedge)

    def equity(self) -> float:
        """Return the account's true equity at the last price."""
        return float(equity(self.books, self._price))

    # --- the market ---------------------------------------------------------------------------

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        """Let the market move; return what happened to the account, in order."""
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
            return self._on_mark(event.known_ns, event.price)  # type: ignore[union-attr]
        if kind is ev.Funding and self.is_open:
            apply_funding(self.books, self._price, event.rate)  # type: ignore[union-attr]
            self._set_bounds(self._price)
            return [ev.FundingPaid(event.event_ns, event.known_ns, self._price, event.rate)]  # type: ignore[union-attr]
        return []

    def _on_bar(self, bar: ev.Bar) -> list[ev.AccountEvent]:
        open_ns = bar.event_ns - bar.interval_ns
        said: list[ev.AccountEvent] = []
        if not self.is_open and open_ns >= self._opens_ns:
            said.append(self._open(bar.open, open_ns))
        for arrival_ns, order in self._arrived(bar.event_ns - 1):
            when = max(open_ns, arrival_ns)
            said += self._execute(order, when, bar.open, bar.volume)
        if self.is_open:
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
        self._price = middle
        said: list[ev.AccountEvent] = []
        if not self.is_open:
            if now_ns < self._opens_ns:
                return said
            said.append(self._open(middle, now_ns))
        if self._pending:
            for _, order in self._arrived(now_ns):
                said += self._fill_at_quote(order, now_ns, bid, ask)
        if not self._has_mark:
            said += self._on_mark(now_ns, middle)
        return said

    def _on_mark(self, now_ns: int, mark: float) -> list[ev.AccountEvent]:
        low, high = self._bounds
        if not self.is_open or low < mark < high:
            return []
        return self._watch_margin(mark, mark, mark, now_ns)

    # --- pieces -------------------------------------------------------------------------------

    def _open(self, price: float, now_ns: int) -> ev.Opened:
        plan = open_account(self._settings, price, self._opening.free_ratio)
        self.books = new_account(
            plan.wallet_usdt, plan.qty_ltc, price, plan.leverage,
            isolated=plan.isolated, second_wallet_usdt=plan.second_wallet_usdt,
        )  # fmt: skip
        self._terms["size"] = abs(plan.qty_ltc)
        self._is_open = True
        self._set_bounds(price)
        return ev.Opened(
            now_ns, now_ns, plan.wallet_usdt, plan.second_wallet_usdt, plan.qty_ltc, price,
            plan.leverage, plan.isolated,
        )  # fmt: skip

    def _arrived(self, until_ns: int) -> list[tuple[int, Order]]:
        arrived = [entry for entry in self._pending if entry[0] <= until_ns]
        if arrived:
            self._pending = [entry for entry in self._pending if entry[0] > until_ns]
        return arrived

    def _execute(
        self, order: Order, when_ns: int, open_: float, volume: float
    ) -> list[ev.AccountEvent]:
        qty, price, fee, slippage = execute(
            float(order.qty_ltc), float(order.limit_usdt), open_, volume, self._bar_minutes,
            self.liquidity, self._terms,
        )  # fmt: skip
        return self._book(order, when_ns, qty, price, fee, slippage, open_)

    def _fill_at_quote(
        self, order: Order, now_ns: int, bid: float, ask: float
    ) -> list[ev.AccountEvent]:
        """Walk the book from the touch, no further than the limit; the rest is gone (IOC)."""
        qty = float(order.qty_ltc)
        touch, depth = (ask, self._depth[1]) if qty > 0.0 else (bid, self._depth[0])
        reach = abs(float(np.log(float(order.limit_usdt) / touch)))
        if (touch - float(order.limit_usdt)) * qty > 0.0:
            reach = 0.0
        most = consumption(reach) * depth / touch
        if abs(qty) > most:
            qty = float(np.copysign(whole_lots(most, float(self._terms["lot"][0])), qty))
        taken = abs(qty) * touch / depth
        price = touch * float(np.exp(np.copysign(walked(taken), qty)))
        fee = abs(qty) * price * float(self._terms["taker_fee"][0])
        middle = 0.5 * (bid + ask)
        slippage = abs(qty) * abs(price - middle)
        if qty != 0.0 and self._market is not None:
            self._market.trade(qty * price)
        return self._book(order, now_ns, qty, price, fee, slippage, middle)

    def _book(
        self, order: Order, when_ns: int, qty: float, price: float, fee: float, slippage: float,
        mark: float,
    ) -> list[ev.AccountEvent]:  # fmt: skip
        said: list[ev.AccountEvent] = []
        if qty != 0.0:
            apply_fill(self.books, order.leg, qty, price, fee, slippage)
            self._set_bounds(mark)
            said += self._say(
                ev.OrderFilled(
                    when_ns, when_ns, order.client_id, order.leg, qty, price, fee, slippage
                )
            )
        if abs(qty) < abs(float(order.qty_ltc)):
            why = "beyond the collar" if qty == 0.0 else "the rest found no volume"
            said += self._say(ev.OrderExpired(when_ns, when_ns, order.client_id, why))
        return said

    def _watch_margin(
        self, open_: float, low: float, high: float, now_ns: int
    ) -> list[ev.AccountEvent]:
        said: list[ev.AccountEvent] = []
        while low <= self._bounds[0] or high >= self._bounds[1]:
            if not said:
                said = self.cancel_all(now_ns)  # the venue cancels everything first
            _, hedge = self.sizes()
            # What is left of the position may die in the same bar.
            open_ = liquidate_within(
                self.books, *self._bounds, open_, low, high, self._tiers.rows,
                self._tiers.clearance_fee,
            )  # fmt: skip
            note_forced_closing(self._terms, self.books, hedge)
            self._set_bounds(open_)
            self._is_open = bool(self.books["qty"][0, POSITION] != 0.0)
            said.append(ev.Liquidated(now_ns, now_ns, float(open_), self.is_open))
        if not self.is_open:
            midnight = (now_ns // NS_PER_DAY + 1) * NS_PER_DAY
            self._opens_ns = midnight if self._opening.reopens else np.iinfo(np.int64).max
        return said

    def _set_bounds(self, mark: float) -> None:
        self._bounds = bounds(self.books, mark, self._tiers.rows)

    def _say(self, event: ev.AccountEvent) -> list[ev.AccountEvent]:
        self._ended[event.client_id] = event  # type: ignore[union-attr]
        return [event]
