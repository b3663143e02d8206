"""Binance's user stream: what happens to our orders and our account, as reports. Pure.

Formats: developers.binance.com, "USDS Margined Futures / User Data Streams". Messages of one fill
come in any order and may come twice; the reports are what has happened in all, so neither does
harm. Closings by Binance itself are known by the client id: ``autoclose-`` is our liquidation,
``adl_autoclose`` the closing of a winning leg against somebody else's.
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Final, Literal

import msgspec
from msgspec import Struct

from litehedge.errors import BadMessage
from litehedge.orders.reports import (
    FINAL,
    AccountReport,
    ForcedReport,
    FundingReport,
    LegReport,
    OrderReport,
    OrderStatus,
    Report,
)
from litehedge.units import NS_PER_MS, NS_PER_SECOND
from litehedge.venues import binance_user_wire as wire
from litehedge.venues.binance_account import LEGS, STATUSES, signed
from litehedge.venues.binance_rest import exact
from litehedge.venues.binance_wire import read

MOST_ORDERS: Final = 1000
CLOCK_NS: Final = NS_PER_SECOND
"""By how much our idea of the venue's time may be off when an account was asked for."""

_REASONS: Final = {
    "0": "expired",
    "1": "would have traded with ourselves",
    "2": "what was left was cancelled",
    "3": "what was left was cancelled, some against ourselves",
    "4": "nothing was left to reduce",
    "5": "the account was liquidated",
    "6": "its condition was not met",
    "7": "the contract was delisted",
    "8": "its stop was triggered",
    "9": "what was left of a market order was cancelled",
}


class Told(Struct, frozen=True):
    """What a message of the user stream means."""

    reports: list[Report] = []
    ask_account: bool = False  # something changed that the message does not tell in full
    renew_key: bool = False  # the stream is at its end
    warning: str = ""  # for people


class _Fill(Struct, frozen=True):
    qty: Decimal
    price: Decimal
    fee: Decimal | None


class UserStream:
    """Reads the user stream of one contract; keeps fills until an order ends, and the account.

    Parameters
    ----------
    symbol
        The contract; other contracts of the account are left alone.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._fills: OrderedDict[str, dict[int, _Fill]] = OrderedDict()
        self._account: AccountReport | None = None

    def begin(self, account: AccountReport) -> None:
        """Take the account as it was asked for when the stream (again) began."""
        self._account = account

    def took(self, account: AccountReport) -> bool:
        """Take the account as it was asked for, unless the stream told something newer."""
        if self._account is not None and self._account.event_ns > account.event_ns:
            return False
        self._account = account
        return True

    def read(self, payload: bytes) -> Told:
        """Read a message.

        Raises
        ------
        BadMessage
            When it is none of the user stream.
        """
        heard = read(wire.HEARD, payload, "a message about our account")
        match heard:
            case wire.OrderUpdate():
                return self._order(heard.o)
            case wire.TradeLite():
                return self._lite(heard)
            case wire.AccountUpdate():
                return self._update(heard)
            case wire.ConfigUpdate():
                return self._config(heard)
            case wire.MarginCall():
                return self._called(heard)
            case wire.KeyExpired():
                return Told(renew_key=True, warning="the listen key ended; a new one is fetched")
            case wire.AlgoUpdate():
                return self._algo(heard)
            case wire.TriggerReject():
                if heard.told.s != self._symbol:
                    return Told()
                return Told(ask_account=True, warning=f"a stop was refused: {heard.told.r[:100]}")
        return Told()

    # --- orders -----------------------------------------------------------------------------

    def _order(self, o: wire.OrderSoFar) -> Told:
        for number, what in ((o.l, "a fill"), (o.z, "a filled quantity"), (o.L, "a fill's price"),
                             (o.ap, "an average price"), (o.n, "a fee")):  # fmt: skip
            exact(number, what)
        if o.l < 0 or o.z < 0 or o.L < 0 or o.ap < 0:
            raise BadMessage("Binance: an order filled less than nothing", "it is skipped")
        if o.s != self._symbol:
            return Told()
        kind = _forced_kind(o.c)
        fee = o.n if o.N == "USDT" or o.n == 0 else None
        if kind is not None:
            if o.l <= 0:
                return Told()
            forced = ForcedReport(
                kind=kind,
                position_side=LEGS[o.ps],
                qty_ltc=o.l if o.S == "BUY" else -o.l,
                price_usdt=o.L if o.L > 0 else o.ap,
                fee_usdt=fee or Decimal(0),
                event_ns=o.T * NS_PER_MS,
                trade_id=f"{o.i}-{o.t}",
            )
            return Told([forced], ask_account=True)
        status = STATUSES[o.X]
        fills = self._fills_of(o.c)
        if o.l > 0:
            fills[o.t] = _Fill(o.l, o.L, fee)
        known = sum((f.qty for f in fills.values()), Decimal(0)) == o.z
        paid = [f.fee for f in fills.values()]
        report = OrderReport(
            client_id=o.c,
            status=status,
            filled_ltc=o.z,
            notional_usdt=_notional(fills) if known else o.z * o.ap,
            fee_usdt=sum((f for f in paid if f is not None), Decimal(0))
            if known and None not in paid
            else None,
            reason="" if status in ("open", "filled") else _reason(o),
            event_ns=o.T * NS_PER_MS,
        )
        if status in FINAL:
            self._fills.move_to_end(o.c, last=False)  # the first to be forgotten
        return Told([report])

    def _lite(self, heard: wire.TradeLite) -> Told:
        """Read the short message of a fill: it comes first, without fee and without the sum."""
        for number, what in ((heard.q, "a quantity"), (heard.l, "a fill"), (heard.L, "a price")):
            if exact(number, what) < 0:
                raise BadMessage(f"Binance: {what} is below zero", "it is skipped")
        if heard.s != self._symbol or _forced_kind(heard.c) is not None or heard.l == 0:
            return Told()
        fills = self._fills_of(heard.c)
        fills.setdefault(heard.t, _Fill(heard.l, heard.L, None))
        filled = sum((f.qty for f in fills.values()), Decimal(0))
        report = OrderReport(
            client_id=heard.c,
            status="filled" if filled >= heard.q else "open",
            filled_ltc=filled,
            notional_usdt=_notional(fills),
            event_ns=heard.T * NS_PER_MS,
        )
        return Told([report])

    def _fills_of(self, client_id: str) -> dict[int, _Fill]:
        fills = self._fills.get(client_id)
        if fills is None:
            while len(self._fills) >= MOST_ORDERS:
                self._fills.popitem(last=False)
            fills = self._fills[client_id] = {}
        return fills

    def _algo(self, heard: wire.AlgoUpdate) -> Told:
        o = heard.o
        if o.s != self._symbol:
            return Told()
        filled, price = _amount(o.aq), _amount(o.ap)
        status: OrderStatus = "open"
        if o.X == "FINISHED":
            status = "filled" if filled > 0 else "expired"
        elif o.X in ("CANCELED", "EXPIRED"):
            status = "expired"
        elif o.X == "REJECTED":
            status = "rejected"
        report = OrderReport(
            client_id=o.caid,
            status=status,
            filled_ltc=filled,
            notional_usdt=filled * price,
            fee_usdt=None,
            reason=o.rm[:100] or ("" if status in ("open", "filled") else o.X.lower()),
            event_ns=heard.T * NS_PER_MS,
        )
        warning = ""
        if o.X == "REJECTED":
            warning = f"the stop {o.caid} was refused: {o.rm[:100]}"
        elif o.X == "TRIGGERED":
            warning = f"the stop {o.caid} was triggered"
        return Told([report], ask_account=o.X not in ("NEW", "CANCELED"), warning=warning)

    # --- the account ------------------------------------------------------------------------

    def _update(self, heard: wire.AccountUpdate) -> Told:
        at_ns = heard.T * NS_PER_MS
        reports: list[Report] = []
        wallet = None
        for balance in heard.a.B:
            if balance.a == "USDT":
                wallet = exact(balance.wb, "the wallet")
                change = exact(balance.bc, "a change of the wallet")
                if heard.a.m == "FUNDING_FEE" and self._is_ours(heard.a):
                    reports.append(FundingReport(at_ns, change))
        legs = [_leg(row) for row in heard.a.P if row.s == self._symbol]
        before = self._account
        if before is None:
            return Told(reports, ask_account=True)
        if at_ns < before.event_ns - CLOCK_NS:
            return Told(reports)  # older than what was asked for
        changed = {leg.position_side: leg for leg in legs}
        if not changed.keys() <= {leg.position_side for leg in before.legs}:
            return Told(reports, ask_account=True)  # the mode was changed
        self._account = msgspec.structs.replace(
            before,
            event_ns=max(at_ns, before.event_ns),
            wallet_usdt=before.wallet_usdt if wallet is None else wallet,
            legs=[_merged(leg, changed.get(leg.position_side)) for leg in before.legs],
        )
        reports.append(self._account)
        return Told(reports)

    def _is_ours(self, account: wire.AccountChange) -> bool:
        named = {row.s for row in account.P} or ({account.S} if account.S is not None else set())
        return not named or self._symbol in named

    def _config(self, heard: wire.ConfigUpdate) -> Told:
        if heard.ai is not None:
            warning = "several assets back the positions now" if heard.ai.j else ""
            return Told(ask_account=True, warning=warning)
        if heard.ac is None or heard.ac.s != self._symbol:
            return Told()
        if self._account is None:
            return Told(ask_account=True)
        leverage = Decimal(heard.ac.l)
        legs = [msgspec.structs.replace(leg, leverage=leverage) for leg in self._account.legs]
        self._account = msgspec.structs.replace(self._account, legs=legs)
        return Told([self._account])

    def _called(self, heard: wire.MarginCall) -> Told:
        ours = [row for row in heard.p if row.s == self._symbol]
        if not ours:
            return Told(ask_account=True, warning="a margin call on another contract")
        row = ours[0]
        marks = f"at mark {exact(row.mp, 'a mark')} (maintenance {exact(row.mm, 'a margin')} USDT)"
        return Told(ask_account=True, warning=f"a margin call on the {LEGS[row.ps]} leg {marks}")


def _forced_kind(client_id: str) -> Literal["liquidation", "deleveraging"] | None:
    if client_id.startswith("autoclose-"):
        return "liquidation"
    # A settlement closes a leg for no fault of ours, like deleveraging.
    if client_id.startswith(("adl_autoclose", "settlement_autoclose")):
        return "deleveraging"
    return None


def _notional(fills: dict[int, _Fill]) -> Decimal:
    return sum((f.qty * f.price for f in fills.values()), Decimal(0))


def _reason(o: wire.OrderSoFar) -> str:
    return (
        "cancelled" if o.X == "CANCELED" else _REASONS.get(str(o.er), o.X.lower().replace("_", " "))
    )


def _amount(text: str) -> Decimal:
    if not text:
        return Decimal(0)
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise BadMessage("Binance: a stop's fill is no number", "it is skipped") from None
    if exact(value, "a stop's fill") < 0:
        raise BadMessage("Binance: a stop's fill is below zero", "it is skipped")
    return value


def _leg(row: wire.LegChange) -> LegReport:
    return LegReport(
        position_side=LEGS[row.ps],
        qty_ltc=signed(row.pa, row.ps),
        entry_usdt=exact(row.ep, "an entry price"),
        leverage=Decimal(0),  # not told here
        isolated=row.mt.lower() == "isolated",
        isolated_wallet_usdt=exact(row.iw, "an isolated wallet"),
    )


def _merged(before: LegReport, after: LegReport | None) -> LegReport:
    if after is None:
        return before
    return msgspec.structs.replace(after, leverage=before.leverage)
