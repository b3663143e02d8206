"""The matching engine of the fake venue: our orders against a book that a scene moves.

Orders meet the depth within their limit, level by level; an immediate order's rest expires. The
account is the ledger. What happens is told as happenings, in the order in which it happens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from litehedge.exchange.book import DepthBook
from litehedge.exchange.happenings import (
    AccountMoved,
    BookMoved,
    Happening,
    OrderMoved,
    Reason,
    Traded,
)
from litehedge.exchange.ledger import CENTS, Ledger
from litehedge.exchange.terms import ZERO, Ask, Fill, Held, Kind, Refused, Side, Terms

_CLIENT_ID: Final = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
FIRST_ORDER_ID: Final = 9_000_000_001


class Matching:
    """Book, orders and account of one venue.

    Parameters
    ----------
    tell
        Called with everything that happens.
    felt
        Called with the USDT that an order of ours ate, positive buys.
    partial
        Asked at each execution for the share of an order that may fill at most, None for all.
    """

    def __init__(
        self, ledger: Ledger, tell: Callable[[Happening], None], *,
        felt: Callable[[float], None], partial: Callable[[], float | None],
    ) -> None:  # fmt: skip
        self.terms: Terms = ledger.terms
        self.ledger = ledger
        self.tell = tell
        self.book = DepthBook()
        self.orders: dict[int, Held] = {}
        self.now_ms = 0
        self.mark = 0.0
        self.last = ZERO
        self._felt = felt
        self._partial = partial
        self._late: list[Held] = []
        self._open: dict[int, Held] = {}
        self._ids = FIRST_ORDER_ID
        self._trade_ids = 5_000

    # --- asking ---------------------------------------------------------------------------------

    def find(self, order_id: int | None, client_id: str | None) -> Held:
        """Return an order by either id, the latest of that client id.

        Raises
        ------
        Refused
            When the venue does not know it, or does not admit it yet.
        """
        found: Held | None = None
        if order_id is not None:
            found = self.orders.get(order_id)
        elif client_id is not None:
            found = next(
                (o for o in reversed(self.orders.values()) if o.client_id == client_id), None
            )
        if found is None or found.visible_ms > self.now_ms:
            raise Refused("no such order")
        return found

    def open_orders(self) -> list[Held]:
        """Return the orders that may still trade, as far as the venue admits them."""
        return [order for order in self._open.values() if order.visible_ms <= self.now_ms]

    def price(self, ticks: int) -> Decimal:
        """Return ticks as a price."""
        return ticks * self.terms.tick_usdt

    # --- orders ---------------------------------------------------------------------------------

    def place(self, ask: Ask, delay_ms: int = 0, algo_id: int = 0) -> Held:
        """Take an order. With `delay_ms` it reaches the book, and is known, only later.

        Raises
        ------
        Refused
            When a rule of the venue forbids it.
        """
        self._check(ask)
        leg = self.ledger.leg_of(ask.side)
        order = self._new(
            ask.client_id, "market" if ask.limit_usdt is None else "limit", ask.buys, leg,
            abs(self.ledger.qty(leg)) if ask.closes_all else ask.qty_ltc,
        )  # fmt: skip
        order.limit_usdt = ask.limit_usdt
        order.tif = ask.tif if ask.limit_usdt is not None else "GTC"
        order.reduce_only = ask.reduce_only or ask.closes_all
        order.closes_all = ask.closes_all
        order.algo_id = algo_id
        self._open[order.order_id] = order
        if delay_ms > 0:
            order.visible_ms = self.now_ms + delay_ms
            self._late.append(order)
        else:
            self.tell(OrderMoved(self.now_ms, order, "new"))
            self._execute(order)
        return order

    def cancel(self, order: Held, why: str = "client") -> None:
        """Cancel an order.

        Raises
        ------
        Refused
            When it is not open.
        """
        if not order.is_open:
            raise Refused("unknown order")
        self._end(order, "canceled" if why == "client" else "expired", why)

    def cancel_all(self, why: str = "client", orders: Iterable[Held] | None = None) -> None:
        """Cancel every open order, late ones too."""
        for order in list(self._open.values() if orders is None else orders):
            self.cancel(order, why)

    def work(self) -> None:
        """Let late orders arrive, and the book reach those that rest."""
        arrived = [order for order in self._late if order.visible_ms <= self.now_ms]
        if arrived:
            self._late = [order for order in self._late if order.visible_ms > self.now_ms]
            for order in arrived:
                if order.is_open:
                    self.tell(OrderMoved(self.now_ms, order, "new"))
                    self._execute(order)
        for order in list(self._open.values()):
            if order not in self._late:
                self._fill_resting(order)

    def tell_book(self) -> None:
        """Tell what changed in the book since this was called last."""
        change = self.book.change()
        if change is not None:
            self.tell(BookMoved(self.now_ms, change))

    def tell_account(self, reason: Reason, legs: Iterable[int], change: Decimal = ZERO) -> None:
        """Tell the wallet, and the legs that changed."""
        told = tuple(self.ledger.leg(leg, self.mark) for leg in legs)
        self.tell(AccountMoved(self.now_ms, reason, self.ledger.wallet(), change, told))

    def forced(
        self, kind: Kind, client_id: str, leg: int, qty: Decimal, price: Decimal,
        realised: Decimal, fee: Decimal,
    ) -> Held:  # fmt: skip
        """Note an order by which the venue itself closed a signed quantity of a leg."""
        order = self._new(client_id, kind, qty > 0, leg, abs(qty))
        order.limit_usdt, order.tif = price, "IOC"
        if kind == "liquidation":
            self.tell(OrderMoved(self.now_ms, order, "new"))
        fill = Fill(self._next_trade(), self.now_ms, price, abs(qty), fee, realised, False)
        order.fills.append(fill)
        order.status = "filled"
        self.tell(OrderMoved(self.now_ms, order, "calculated", fill))
        return order

    def publish(self, price: Decimal, qty: Decimal, taker_buys: bool) -> None:
        """Tell a trade of the tape."""
        self.last = price
        self.tell(Traded(self.now_ms, self._next_trade(), price, qty, taker_buys))

    # --- pieces ---------------------------------------------------------------------------------

    def _new(self, client_id: str, kind: Kind, buys: bool, leg: int, qty: Decimal) -> Held:
        order = Held(
            self._ids, client_id or f"web_{self._ids}", kind, buys, self.ledger.side_of(leg), leg,
            qty, None, "GTC", False, self.now_ms, self.now_ms,
        )  # fmt: skip
        self._ids += 1
        self.orders[order.order_id] = order
        return order

    def _next_trade(self) -> int:
        self._trade_ids += 1
        return self._trade_ids

    def reduces(self, buys: bool, side: Side, qty: Decimal) -> bool:
        """Tell whether an order only makes a leg smaller."""
        held = self.ledger.qty(self.ledger.leg_of(side))
        return (held < 0) == buys and held != 0 and qty <= abs(held)

    def _check(self, ask: Ask) -> None:
        terms, ledger = self.terms, self.ledger
        if ask.client_id and not _CLIENT_ID.match(ask.client_id):
            raise Refused("client id")
        known = self._open if terms.venue == "binance" else self.orders
        if ask.client_id and any(o.client_id == ask.client_id for o in known.values()):
            raise Refused("duplicate")
        if ledger.hedge_mode == (ask.side == "both"):
            raise Refused("side")
        if ask.closes_all:
            self._check_reduces(ask, ZERO)
            return
        self._check_grid(ask)
        if ask.reduce_only:
            self._check_reduces(ask, ZERO)
            return
        if terms.venue == "binance" and self._closes_leg(ask):
            self._check_reduces(ask, ask.qty_ltc)
            return
        price = float(ask.limit_usdt) if ask.limit_usdt is not None else self.mark
        reducing = self.reduces(ask.buys, ask.side, ask.qty_ltc)
        if not reducing and ask.qty_ltc * Decimal(repr(price)) < terms.min_notional_usdt:
            raise Refused("notional", str(terms.min_notional_usdt))
        self._check_margin(ask, price)

    def _closes_leg(self, ask: Ask) -> bool:
        """Tell whether the side of a leg makes this an order that can only close it."""
        return (ask.side == "long" and not ask.buys) or (ask.side == "short" and ask.buys)

    def _check_reduces(self, ask: Ask, most: Decimal) -> None:
        held = self.ledger.qty(self.ledger.leg_of(ask.side))
        if held == 0 or (held > 0) == ask.buys or most > abs(held):
            raise Refused("reduce only")

    def _check_grid(self, ask: Ask) -> None:
        terms = self.terms
        if ask.qty_ltc <= 0:
            raise Refused("quantity")
        if ask.qty_ltc % terms.lot_ltc != 0:
            raise Refused("lot")
        most = terms.max_market_qty_ltc if ask.limit_usdt is None else terms.max_qty_ltc
        if ask.qty_ltc > most:
            raise Refused("above maximum")
        limit = ask.limit_usdt
        if limit is None:
            return
        if limit <= 0 or limit % terms.tick_usdt != 0:
            raise Refused("tick")
        if ask.buys and float(limit) > self.mark * (1.0 + float(terms.price_band)):
            raise Refused("too high", f"{self.mark * (1.0 + float(terms.price_band)):.2f}")
        if not ask.buys and float(limit) < self.mark * (1.0 - float(terms.price_band)):
            raise Refused("too low", f"{self.mark * (1.0 - float(terms.price_band)):.2f}")
        reachable = self.book.within(ask.buys, self._ticks(limit))
        if ask.tif == "FOK" and reachable < ask.qty_ltc / terms.lot_ltc:
            raise Refused("unfilled")
        if ask.tif == "GTX" and reachable > 0:
            raise Refused("post only")

    def _check_margin(self, ask: Ask, price: float) -> None:
        ledger = self.ledger
        held = float(ledger.qty(ledger.leg_of(ask.side)))
        signed = float(ask.qty_ltc) if ask.buys else -float(ask.qty_ltc)
        grows = max(0.0, abs(held + signed) - abs(held))
        if grows == 0.0:
            return
        if abs(held + signed) * self.mark > ledger.most_notional(ledger.leverage):
            raise Refused("tier")
        needed = grows * price * (1.0 / ledger.leverage + float(self.terms.taker_fee))
        if needed > ledger.available(self.mark):
            raise Refused("margin")

    def _ticks(self, price: Decimal) -> int:
        return int(price / self.terms.tick_usdt)

    def _execute(self, order: Held) -> None:
        share = self._partial()
        lots = self._allowed_lots(order)
        if share is not None:
            lots = min(lots, int(int(order.qty_ltc / self.terms.lot_ltc) * share))
        limit = None if order.limit_usdt is None else self._ticks(order.limit_usdt)
        if limit is None:
            away = float(self.terms.take_bound) * (1.0 if order.buys else -1.0)
            limit = self._ticks(Decimal(repr(self.mark * (1.0 + away))))
        for ticks, taken in self.book.take(order.buys, limit, lots):
            self._fill(order, self.price(ticks), taken * self.terms.lot_ltc, maker=False)
        if not order.is_open:
            return
        if order.reduce_only and self._allowed_lots(order) == 0:
            self._end(order, "expired", "reduce only")
        elif order.kind == "market":
            self._end(order, "expired", "market")
        elif order.tif in ("IOC", "FOK"):
            self._end(order, "expired", "ioc")

    def _fill_resting(self, order: Held) -> None:
        if order.limit_usdt is None or order.kind != "limit":
            return
        limit = self._ticks(order.limit_usdt)
        if self.book.within(order.buys, limit) == 0:
            return
        lots = self._allowed_lots(order)
        taken = sum(piece.lots for piece in self.book.take(order.buys, limit, lots))
        if taken > 0:
            self._fill(order, order.limit_usdt, taken * self.terms.lot_ltc, maker=True)
        if order.is_open and order.reduce_only and self._allowed_lots(order) == 0:
            self._end(order, "expired", "reduce only")

    def _allowed_lots(self, order: Held) -> int:
        """Return what an order may still trade: one that reduces, no more than its leg."""
        left = order.left_ltc
        if order.reduce_only or (self.terms.venue == "binance" and self._closes_only(order)):
            held = self.ledger.qty(order.leg)
            left = min(left, abs(held)) if held != 0 and (held > 0) != order.buys else ZERO
        return int(left / self.terms.lot_ltc)

    def _closes_only(self, order: Held) -> bool:
        return order.side != "both" and (order.side == "long") != order.buys

    def _fill(self, order: Held, price: Decimal, qty: Decimal, *, maker: bool) -> None:
        rate = self.terms.maker_fee if maker else self.terms.taker_fee
        fee = (qty * price * rate).quantize(CENTS)
        signed = qty if order.buys else -qty
        realised = self.ledger.fill(order.leg, signed, price, fee)
        fill = Fill(self._next_trade(), self.now_ms, price, qty, fee, realised, maker)
        order.fills.append(fill)
        order.updated_ms = self.now_ms
        order.status = "part" if order.left_ltc > 0 else "filled"
        if order.status == "filled":
            self._open.pop(order.order_id, None)
        self.last = price
        self._felt(float(signed * price))
        self.tell(Traded(self.now_ms, fill.trade_id, price, qty, order.buys != maker))
        self.tell(OrderMoved(self.now_ms, order, "trade", fill))
        self.tell_account("ORDER", (order.leg,))

    def _end(self, order: Held, status: str, why: str) -> None:
        order.status = "canceled" if status == "canceled" else "expired"
        order.ended = why
        order.updated_ms = self.now_ms
        self._open.pop(order.order_id, None)
        self.tell(OrderMoved(self.now_ms, order, order.status))
