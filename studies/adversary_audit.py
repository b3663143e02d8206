"""Whether hard limits were kept, worked out again from what a journal holds.

Nothing of `litehedge.risk`, `litehedge.decision` or `litehedge.margin` is used here. The audit
keeps a ledger of its own from the events that the engine was shown and the orders that it sent, and
judges each order as a stranger with the settings file in hand would: in plain floats, over plain
windows of time. Where a settings text says "in a minute" any sixty seconds count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import isfinite, isnan
from typing import Any, Final, NamedTuple

from litehedge.config import Settings
from litehedge.effects import Effect, StateChange, Submit
from litehedge.market import events as ev
from litehedge.orders.manager import Order

POSITION, HEDGE = 0, 1
MINUTE_NS: Final = 60 * 10**9
DAY_NS: Final = 1_440 * MINUTE_NS
FRESH_NS: Final = 10 * 10**9
"""A book older than this says nothing about depth."""

SLACK: Final = 1e-6
SMALLEST: Final = 2.01
"""What protects may be so many of the smallest orders, whatever depth is shown."""
Tiers = list[list[float]]


class Breach(NamedTuple):
    """A limit that an order or a fill went beyond."""

    time_ns: int
    limit: str
    told: str


def maintenance(notional: float, tiers: Tiers) -> float:
    """Return the maintenance margin of a notional in USDT; tiers are (floor, rate, cum, ...)."""
    rate, cum = tiers[0][1], tiers[0][2]
    for row in tiers:
        if notional > row[0]:
            rate, cum = row[1], row[2]
    return notional * rate - cum


class Audit:
    """Watches one account over both legs in one cross wallet; `breaches` is what it found.

    It is a journal, and sees what a journal sees. What a liquidation closed is not in its event:
    `settle` takes that over from the venue.
    """

    def __init__(self, settings: Settings, tiers: Iterable[Iterable[float]]) -> None:
        self.breaches: list[Breach] = []
        self.orders = 0
        self.most_in_minute = 0
        self.most_ratio_in_minute = 0.0
        self.net_leverage_added = 0.0
        self._limits = settings.limits
        self._rules = settings.venue
        health = getattr(settings, "health", None)
        wide_bps = health.collar_bps if health is not None else 0.0
        self._protecting_bps = max(settings.limits.collar_bps, wide_bps)
        self._max_ratio = settings.hedge.max_ratio
        self._reduces = settings.hedge.location == "reduce"
        self._tiers = [list(row) for row in tiers]
        self._qty = [0.0, 0.0]
        self._entry = [0.0, 0.0]
        self._wallet = 0.0
        self._size = 0.0  # of the position at its opening, LTC
        self._start = 0.0  # equity at the opening
        self._trading = "ACTIVE"
        self._now_ns = -1
        self._sent: dict[str, Order] = {}
        self._left: dict[str, float] = {}  # LTC of open orders that may still trade
        self._moves: deque[list[Any]] = deque()  # when, LTC, of a position of so many, order
        self._taken: list[int] = []  # when today's orders were sent
        self._cost_day = -1
        self._cost_today = 0.0
        self._prices: dict[str, float] = {}
        self._price_ns = -1
        self._depth = float("nan")
        self._depth_ns = -1

    # --- as a journal -----------------------------------------------------------------------

    def event(self, event: ev.AnyEvent) -> None:
        """Take in what happened."""
        self._now_ns = event.known_ns
        self._take_in(event)

    def effect(self, effect: Effect) -> None:
        """Judge what was done about it."""
        if isinstance(effect, StateChange):
            self._trading = effect.after
        elif isinstance(effect, Submit):
            self._judge(effect.order, self._now_ns)

    trouble = ""

    def write(self) -> None:
        """Keep nothing."""

    keep = flush = write

    def settle(self, wallet: float, qty: Iterable[float], entry: Iterable[float]) -> None:
        """Take over what the venue says after a liquidation."""
        self._wallet, self._qty, self._entry = wallet, list(qty), list(entry)
        if self._reduces:
            self._size = abs(self._qty[POSITION])

    # --- the ledger -------------------------------------------------------------------------

    def _take_in(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.Bar(asset="LTC", close=price):
                self._priced("bar", price, event.known_ns)
            case ev.Trade(price=price):
                self._priced("trade", price, event.known_ns)
            case ev.Mark(price=price):
                self._prices["mark"] = price
            case ev.Book():
                self._priced("book", 0.5 * (event.bid + event.ask), event.known_ns)
                self._prices |= {"bid": event.bid, "ask": event.ask}
                self._depth = min(event.bid_depth_usdt, event.ask_depth_usdt)
                self._depth_ns = event.known_ns
            case ev.Opened():
                self._wallet = event.wallet_usdt
                self._qty = [event.qty_ltc, event.hedge_qty_ltc]
                self._entry = [event.entry_usdt, event.hedge_entry_usdt]
                self._size = abs(event.qty_ltc)
                self._start = self._equity(event.entry_usdt)
            case ev.OrderFilled():
                self._judge_fill(event)
                self._trade(event.leg, event.qty_ltc, event.price, event.fee_usdt)
                self._spend(event.known_ns, event.fee_usdt + event.slippage_usdt)
            case ev.StopFilled():
                self._trade(event.leg, event.qty_ltc, event.price, event.fee_usdt)
            case ev.Deleveraged():
                self._trade(event.leg, event.qty_ltc, event.price, 0.0)
            case ev.FundingPaid() if isnan(event.amount_usdt):
                self._wallet -= event.rate * event.mark * sum(self._qty)
            case ev.OrderExpired() | ev.OrderRejected():
                self._end(event)
            case _:
                pass

    def _priced(self, feed: str, price: float, known_ns: int) -> None:
        self._prices[feed] = price
        self._price_ns = known_ns

    def _trade(self, leg: int, qty: float, price: float, fee: float) -> None:
        held = self._qty[leg]
        self._wallet -= fee
        if held * qty >= 0.0:
            total = held + qty
            if total:
                self._entry[leg] = (held * self._entry[leg] + qty * price) / total
        else:
            closed = min(abs(qty), abs(held))
            self._wallet += closed * (price - self._entry[leg]) * (1.0 if held > 0.0 else -1.0)
            if abs(qty) > abs(held):
                self._entry[leg] = price
        after = held + qty
        self._qty[leg] = 0.0 if abs(after) < 1e-9 else after

    def _spend(self, now_ns: int, usdt: float) -> None:
        if now_ns // DAY_NS != self._cost_day:
            self._cost_day, self._cost_today = now_ns // DAY_NS, 0.0
        self._cost_today += usdt

    def _equity(self, price: float) -> float:
        legs = zip(self._qty, self._entry, strict=True)
        return self._wallet + sum(qty * (price - entry) for qty, entry in legs)

    # --- what was sent ----------------------------------------------------------------------

    def _judge(self, order: Order, now_ns: int) -> None:
        qty, limit = float(order.qty_ltc), float(order.limit_usdt)
        price = self._nearest(limit)
        before = sum(self._qty)
        adds_risk = abs(before + qty) > abs(before) + SLACK
        after = self._qty[order.leg] + qty
        grows = abs(after) > abs(self._qty[order.leg]) + SLACK
        self._judge_pace(order, qty, now_ns, adds_risk=adds_risk)
        self._judge_words(order, qty, limit, price, now_ns)
        if grows and order.leg == HEDGE:
            self._judge_hedge(abs(after), price, now_ns)
        if (
            grows
            and order.leg == POSITION
            and (not self._reduces or abs(after) > self._size + self._rules.lot_ltc)
        ):
            self._breach(now_ns, "position", f"{order.client_id} makes it {after:.3f} LTC")
        if order.reduce_only and (grows or self._qty[order.leg] * after < -SLACK):
            self._breach(now_ns, "reduce only", f"{order.client_id} leaves {after:.3f} LTC")
        if self._trading == "HALTED" and not order.reduce_only:
            self._breach(now_ns, "halted", f"{order.client_id} of {qty:.3f} LTC")
        if adds_risk:
            self._judge_risk(abs(before + qty), price, now_ns)
        self._sent[order.client_id] = order
        self._left[order.client_id] = abs(qty)

    def _judge_pace(self, order: Order, qty: float, now_ns: int, *, adds_risk: bool) -> None:
        if self._left:
            self._breach(now_ns, "one order at a time", f"{order.client_id}: {sorted(self._left)}")
        held = self._size if self._reduces else abs(self._qty[POSITION])
        held = max(held, *map(abs, self._qty))  # of a hedge that is larger, its own size counts
        # "How far the hedge ratio may fall": what protects is not slowed, but its order counts.
        lifted = abs(qty) if adds_risk else 0.0
        self._moves.append([now_ns, lifted, held, order.client_id])
        while self._moves[0][0] <= now_ns - MINUTE_NS:
            self._moves.popleft()
        ratio = sum(moved / held if held else 0.0 for _, moved, held, _ in self._moves)
        self._taken = [now for now in self._taken if now // DAY_NS == now_ns // DAY_NS]
        self._taken.append(now_ns)
        self.orders += 1
        self.most_in_minute = max(self.most_in_minute, len(self._moves))
        self.most_ratio_in_minute = max(self.most_ratio_in_minute, ratio)
        limits = self._limits
        for name, value, most in (
            ("orders per minute", len(self._moves), limits.max_orders_per_minute),
            ("orders per day", len(self._taken), limits.max_orders_per_day),
            ("ratio per minute", ratio, limits.max_ratio_per_minute),
        ):
            if value > most + SLACK:
                self._breach(now_ns, name, f"{value:.3f} of {most:g}")

    def _end(self, event: ev.OrderExpired | ev.OrderRejected) -> None:
        """What did not trade moved nothing; what was refused is no order of the day."""
        left = self._left.pop(event.client_id, 0.0)
        for move in self._moves:
            if move[3] == event.client_id:
                move[1] = max(0.0, move[1] - left)
        if isinstance(event, ev.OrderRejected) and self._taken:
            self._taken.pop()

    def _judge_words(
        self, order: Order, qty: float, limit: float, price: float, now_ns: int
    ) -> None:
        rules, limits = self._rules, self._limits
        lots, ticks = abs(qty) / rules.lot_ltc, limit / rules.tick_usdt
        if abs(lots - round(lots)) > 1e-4 or round(lots) < 1:
            self._breach(now_ns, "lot", f"{order.qty_ltc} LTC")
        if abs(ticks - round(ticks)) > 1e-4:
            self._breach(now_ns, "tick", f"{order.limit_usdt} USDT")
        if not order.reduce_only and abs(qty) * price < rules.min_notional_usdt * (1.0 - SLACK):
            self._breach(now_ns, "min notional", f"{abs(qty) * price:.2f} USDT")
        away = (limit / price - 1.0) * (1.0 if qty > 0.0 else -1.0)
        protects = abs(sum(self._qty) + qty) < abs(sum(self._qty)) + SLACK
        collar_bps = self._protecting_bps if protects else limits.collar_bps
        if away > collar_bps * 1e-4 + SLACK:
            self._breach(now_ns, "collar", f"{1e4 * away:.1f} bps of {collar_bps:g}")
        if now_ns - self._depth_ns <= FRESH_NS:
            share = abs(qty) * price / self._depth if self._depth > 0.0 else float("inf")
            is_least = protects and abs(qty) * price <= SMALLEST * rules.min_notional_usdt
            if not is_least and share > limits.max_depth_share * (1.0 + SLACK) + SLACK:
                self._breach(now_ns, "depth share", f"{share:.4f} of {limits.max_depth_share:g}")

    def _judge_hedge(self, hedge: float, price: float, now_ns: int) -> None:
        limits, position = self._limits, abs(self._qty[POSITION])
        if hedge * price > limits.max_hedge_notional_usdt * (1.0 + SLACK):
            self._breach(now_ns, "hedge notional", f"{hedge * price:.0f} USDT")
        if hedge > self._max_ratio * position + self._rules.lot_ltc:
            self._breach(now_ns, "hedge ratio", f"{hedge:.3f} LTC of {position:.3f}")
        needed = maintenance(hedge * price, self._tiers)
        needed += maintenance(position * price, self._tiers)
        free = 1.0 - needed / self._equity(price) if self._equity(price) > 0.0 else -1.0
        if free < limits.min_margin_buffer - SLACK:
            self._breach(now_ns, "margin buffer", f"{free:.4f} of {limits.min_margin_buffer:g}")

    def _judge_risk(self, net: float, price: float, now_ns: int) -> None:
        limits, equity = self._limits, self._equity(price)
        leverage = net * price / equity if equity > 0.0 else float("inf")
        self.net_leverage_added = max(self.net_leverage_added, leverage)
        if leverage > limits.max_leverage * (1.0 + SLACK):
            self._breach(now_ns, "leverage", f"{leverage:.2f} of {limits.max_leverage:g}")
        if self._cost_day == now_ns // DAY_NS:
            budget = limits.daily_cost_share * max(equity, 0.0)
            if self._cost_today > budget:
                self._breach(now_ns, "daily cost", f"{self._cost_today:.2f} of {budget:.2f} USDT")
        if self._trading != "ACTIVE":
            self._breach(now_ns, "reducing", "risk was added")
        if equity <= limits.equity_stop_share * self._start:
            self._breach(now_ns, "equity stop", f"{equity:.2f} of {self._start:.2f} USDT")
        age_s = (now_ns - self._price_ns) / 1e9
        if age_s > limits.max_price_age_s:
            self._breach(now_ns, "price age", f"{age_s:.0f} s")

    def _judge_fill(self, event: ev.OrderFilled) -> None:
        order = self._sent.get(event.client_id)
        if order is None:
            self._breach(event.known_ns, "unknown order", event.client_id)
            return
        beyond = (event.price - float(order.limit_usdt)) * (1.0 if event.qty_ltc > 0.0 else -1.0)
        if beyond > SLACK * event.price:
            self._breach(event.known_ns, "collar", f"filled {beyond:.4f} USDT beyond the limit")
        left = self._left.get(event.client_id, 0.0) - abs(event.qty_ltc)
        if left < -SLACK:
            self._breach(event.known_ns, "doubled fill", f"{event.client_id}: {left:.3f} LTC")
        if left > SLACK:
            self._left[event.client_id] = left
        else:
            self._left.pop(event.client_id, None)

    def _nearest(self, limit: float) -> float:
        """Return the price now that a limit is nearest to: feeds may tell different ones."""
        known: list[Any] = [p for p in self._prices.values() if isfinite(p)]
        return min(known, key=lambda price: abs(price - limit)) if known else limit

    def _breach(self, now_ns: int, limit: str, told: str) -> None:
        self.breaches.append(Breach(now_ns, limit, told))
