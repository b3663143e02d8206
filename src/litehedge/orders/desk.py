"""The order desk of one account: what a venue reports, as events that the engine understands.

A venue's reports are cumulative and come twice, late, out of order, or not at all. The engine wants
each thing once: what was filled *since*, and one end for each order. The desk stands between them
and keeps what it has told. It is pure: time comes as an argument, and what should be asked is
returned by `questions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from litehedge.errors import OrderProtocolError, VenueError, VenueUnknown
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.holdings import reported
from litehedge.orders.manager import Order, OrderEvent, OrderState, advance
from litehedge.orders.placing import Placement, Refusal, venue_order
from litehedge.orders.reports import (
    FINAL,
    AccountReport,
    Contract,
    ForcedReport,
    FundingReport,
    OrderReport,
    Report,
    VenueOrder,
)
from litehedge.orders.stops import StopFills
from litehedge.units import NS_PER_MS, NS_PER_SECOND

PATIENT_QUESTIONS: Final = 4
PATIENT_NS: Final = 10 * NS_PER_SECOND
"""An order is taken for missing, or a price for untold, after so many answers over so long: right
after an unknown outcome a venue may not know an order that is filled all the same."""

SENDING_NS: Final = 60 * NS_PER_SECOND  # then a send without any answer counts as over
FIRST_QUESTION_NS: Final = 2 * NS_PER_SECOND  # an order that is immediate or cancel has ended then
SOON_NS: Final = 500 * NS_PER_MS
LONGEST_WAIT_NS: Final = 30 * NS_PER_SECOND
REMEMBERED: Final = 512  # ended orders, forced closings, settlements
FORGOTTEN: Final = 64  # orders at once: to look through all of them each time holds up the next

_NAN: Final = float("nan")


@dataclass(slots=True)
class _Patience:
    """Counts answers in a row that settle nothing."""

    answers: int = 0
    since_ns: int = -1

    def has_ended(self, now_ns: int) -> bool:
        """Count one more answer; tell whether it was the last to wait for."""
        if self.answers == 0:
            self.since_ns = now_ns
        self.answers += 1
        return self.answers >= PATIENT_QUESTIONS and now_ns - self.since_ns >= PATIENT_NS


@dataclass(slots=True)
class _Known:
    """What was told of one order. `order` goes through the same table as the engine's."""

    order: Order
    middle_usdt: float
    began_ns: int
    ask_at_ns: int
    wait_ns: int = SOON_NS
    is_sending: bool = True
    filled_ltc: Decimal = Decimal(0)  # unsigned
    notional_usdt: Decimal = Decimal(0)
    fee_usdt: Decimal = Decimal(0)
    missing: _Patience = field(default_factory=lambda: _Patience())
    vague: _Patience = field(default_factory=lambda: _Patience())
    untold: OrderReport | None = None  # fills whose prices nobody has told yet

    @property
    def is_early(self) -> bool:
        """Whether nothing but perhaps 'unknown' was told."""
        return self.order.state in (OrderState.INTENDED, OrderState.UNKNOWN)


class Desk:
    """Translates between the engine and one account of one venue.

    Parameters
    ----------
    placement
        Where our legs live in this account.
    contract
        The venue's rules; may be replaced when they change.
    """

    def __init__(self, placement: Placement, contract: Contract) -> None:
        self.placement = placement
        self.contract = contract
        self._orders: dict[str, _Known] = {}
        self._seen: dict[object, None] = {}  # forced closings and settlements
        self._held: dict[int, Decimal] = {}  # signed, as last told
        self._early: list[ForcedReport] = []  # closings of what no fill has told yet
        self._stops = StopFills()

    # --- on the way out -----------------------------------------------------------------------

    def place(
        self,
        order: Order,
        now_ns: int,
        *,
        mark_usdt: Decimal | None = None,
        middle_usdt: float = _NAN,
    ) -> tuple[VenueOrder | None, list[ev.AccountEvent]]:
        """Return what is to be sent, or the word that it is not. The same id is never sent twice.

        Parameters
        ----------
        middle_usdt
            The middle of the book at the decision, against which slippage counts; NaN: it is 0.
        """
        if order.client_id in self._orders:
            return None, []
        known = self._remember(order, now_ns, middle_usdt)
        wire = venue_order(order, self.placement, self.contract, mark_usdt)
        if isinstance(wire, Refusal):
            return None, self._end(known, ev.OrderRejected, now_ns, now_ns, wire.why)
        return wire, []

    def resume(self, order: Order, now_ns: int) -> None:
        """Take up an order of before a restart: it is asked about and never sent."""
        known = self._remember(order, now_ns, _NAN)
        known.is_sending = False
        known.ask_at_ns = now_ns
        known.filled_ltc = abs(order.filled_ltc)
        known.notional_usdt = Decimal("NaN")  # for how much is in the journal, not in the order

    def failed(self, client_id: str, error: VenueError, now_ns: int) -> list[ev.AccountEvent]:
        """Tell that sending an order raised `error`."""
        known = self._orders.get(client_id)
        if known is None or not known.order.is_open:
            return []
        known.is_sending = False
        if not isinstance(error, VenueUnknown) and known.is_early:
            raises = error.raises_only
            said = self._end(known, ev.OrderRejected, now_ns, now_ns, str(error), raises)
            return said + self._no_longer_early(now_ns)
        known.ask_at_ns = now_ns
        if known.order.state is OrderState.INTENDED:
            return self._tell(known, ev.OrderUnknown(now_ns, now_ns, client_id))
        return []  # the account's own stream was faster, and knows better

    def questions(self, now_ns: int) -> list[str]:
        """Return the orders to ask about now: those that should have ended, less and less often."""
        due: list[str] = []
        for name, known in self._orders.items():
            if known.order.is_open and now_ns >= known.ask_at_ns:
                known.ask_at_ns = now_ns + known.wait_ns
                known.wait_ns = min(2 * known.wait_ns, LONGEST_WAIT_NS)
                due.append(name)
        return due

    @property
    def open_orders(self) -> list[str]:
        """The orders that have no end yet."""
        return [name for name, known in self._orders.items() if known.order.is_open]

    # --- on the way in ------------------------------------------------------------------------

    def on_report(self, report: Report, now_ns: int) -> list[ev.AccountEvent]:
        """Return what is new in a report of the venue, from wherever it came."""
        if isinstance(report, OrderReport):
            said = self._on_order(report, now_ns)
            return said + self._no_longer_early(now_ns)
        if isinstance(report, AccountReport):
            return [self._on_account(report, now_ns)]
        if isinstance(report, ForcedReport):
            return self._on_forced(report, now_ns)
        return self._on_funding(report, now_ns)

    def _on_order(self, report: OrderReport, now_ns: int) -> list[ev.AccountEvent]:
        known = self._orders.get(report.client_id)
        if known is None:
            return self._on_stop(report, now_ns)
        if report.status == "missing":
            return self._on_missing(known, now_ns)
        known.is_sending = False
        known.missing.answers = 0
        when_ns = report.event_ns or now_ns
        said: list[ev.AccountEvent] = []
        if report.filled_ltc > known.filled_ltc:
            if not report.notional_usdt.is_finite():
                before = known.untold
                if before is None or before.filled_ltc < report.filled_ltc:
                    known.untold = report
                self._ask_soon(known, known.vague, now_ns)
                if not known.vague.has_ended(now_ns):
                    return said
                report = self._guessed(known, report)
            said += self._fill(known, report, when_ns, now_ns)
        elif known.is_early and known.order.is_open and report.status == "open":
            said += self._tell(known, ev.OrderAccepted(when_ns, now_ns, report.client_id))
        rest = known.untold
        if rest is not None and rest.filled_ltc > known.filled_ltc:
            return said  # it has done more than this report knows
        known.untold, known.vague.answers = None, 0
        if report.status in FINAL and known.order.is_open:
            said += self._close(known, report, when_ns, now_ns)
        return said

    def held_ltc(self, leg: int) -> Decimal | None:
        """Return what a leg holds as last told, signed; None while nothing was."""
        return self._held.get(leg)

    def _on_stop(self, report: OrderReport, now_ns: int) -> list[ev.AccountEvent]:
        """Tell what a stop of ours filled; what else is not ours the account's reports tell."""
        said: list[ev.AccountEvent] = []
        for fill in self._stops.take(report, self.placement, self.contract, now_ns):
            before = self._held.get(fill.leg, Decimal(0))
            after = before + Decimal(repr(fill.qty_ltc))
            self._held[fill.leg] = after if after * before > 0 else Decimal(0)
            said.append(fill)
        return said

    def _close(
        self, known: _Known, report: OrderReport, when_ns: int, now_ns: int
    ) -> list[ev.AccountEvent]:
        if report.status == "rejected" and known.is_early:
            return self._end(known, ev.OrderRejected, when_ns, now_ns, report.reason or "refused")
        if report.status == "filled":
            wanted, done = abs(known.order.qty_ltc), known.filled_ltc
            why = f"the venue took {done} of {wanted} LTC: whole lots, up to its largest order"
        else:
            why = report.reason or "what was left is gone"
        return self._end(known, ev.OrderExpired, when_ns, now_ns, why)

    def _fill(
        self, known: _Known, report: OrderReport, when_ns: int, now_ns: int
    ) -> list[ev.AccountEvent]:
        """Tell what was filled since the last report that was told."""
        order = known.order
        buys = order.qty_ltc > 0
        more = report.filled_ltc - known.filled_ltc
        price = average = report.notional_usdt / report.filled_ltc
        fee = more * price * self.contract.taker_fee
        if known.notional_usdt.is_nan():  # told before a restart
            if report.fee_usdt is not None:
                fee = report.fee_usdt * more / report.filled_ltc
            known.fee_usdt = (report.fee_usdt or Decimal(0)) - fee
        else:
            since = (report.notional_usdt - known.notional_usdt) / more
            if average / 2 < since < average * 2:  # else what was told before was a guess
                price = since
            if report.fee_usdt is None:
                fee = more * price * self.contract.taker_fee
            else:
                fee = report.fee_usdt - known.fee_usdt
        known.filled_ltc = report.filled_ltc
        known.notional_usdt = report.notional_usdt
        known.fee_usdt += fee
        signed = more if buys else -more
        self._held[order.leg] = self._held.get(order.leg, Decimal(0)) + signed
        slippage = float(signed) * (float(price) - known.middle_usdt)
        return self._tell(
            known,
            ev.OrderFilled(
                when_ns, now_ns, order.client_id, order.leg, float(signed), float(price),
                float(fee), slippage if slippage == slippage else 0.0,
            ),
        )  # fmt: skip

    def _on_missing(self, known: _Known, now_ns: int) -> list[ev.AccountEvent]:
        if known.is_sending and now_ns - known.began_ns < SENDING_NS:
            return []  # it is on its way
        if not known.order.is_open:
            return []
        self._ask_soon(known, known.missing, now_ns)
        if not known.missing.has_ended(now_ns):
            return []
        said: list[ev.AccountEvent] = []
        if known.untold is not None:  # it did know it once
            report = self._guessed(known, known.untold)
            said = self._fill(known, report, report.event_ns or now_ns, now_ns)
        if known.order.state is OrderState.FILLED:
            return said
        why = (
            f"the venue does not know it, asked {known.missing.answers} times in "
            f"{(now_ns - known.missing.since_ns) / NS_PER_SECOND:.0f} s"
        )
        kind = ev.OrderRejected if known.is_early else ev.OrderExpired
        return said + self._end(known, kind, now_ns, now_ns, why)

    def _ask_soon(self, known: _Known, patience: _Patience, now_ns: int) -> None:
        if patience.answers == 0:
            known.wait_ns = SOON_NS
            known.ask_at_ns = min(known.ask_at_ns, now_ns + SOON_NS)

    def _guessed(self, known: _Known, report: OrderReport) -> OrderReport:
        """Return a report whose prices nobody tells, at the worst price it may have had."""
        order, more = known.order, report.filled_ltc - known.filled_ltc
        before = known.notional_usdt
        if before.is_nan():
            before = known.filled_ltc * order.limit_usdt
        notional = before + more * order.limit_usdt
        return OrderReport(
            report.client_id, report.status, report.filled_ltc, notional, report.fee_usdt,
            report.reason, report.event_ns,
        )  # fmt: skip

    def _on_account(self, report: AccountReport, now_ns: int) -> ev.Reported:
        return reported(report, self.placement, now_ns, self._held)

    def _on_forced(self, report: ForcedReport, now_ns: int) -> list[ev.AccountEvent]:
        leg = self.placement.leg_of(report.position_side)
        if leg is None or not self._is_new((report.kind, report.trade_id)):
            return []
        if self._overtook(leg, report):
            self._early.append(report)
            return []
        return self._closed(leg, report, now_ns)

    def _overtook(self, leg: int, report: ForcedReport) -> bool:
        """Tell whether more was closed than we know of, and a fill may not have been told yet."""
        held = self._held.get(leg)
        if held is None or (report.qty_ltc * held < 0 and abs(report.qty_ltc) <= abs(held)):
            return False
        return any(one.order.is_open and one.order.leg == leg for one in self._orders.values())

    def _no_longer_early(self, now_ns: int) -> list[ev.AccountEvent]:
        """Tell the closings that had overtaken a fill which is told now, or never was."""
        early, self._early = self._early, []
        said: list[ev.AccountEvent] = []
        for report in early:
            leg = self.placement.leg_of(report.position_side)
            assert leg is not None
            if self._overtook(leg, report):
                self._early.append(report)
            else:
                said += self._closed(leg, report, now_ns)
        return said

    def _closed(self, leg: int, report: ForcedReport, now_ns: int) -> list[ev.AccountEvent]:
        held = self._held.get(leg, Decimal(0))
        left = held + report.qty_ltc
        self._held[leg] = left if left * held > 0 else Decimal(0)
        when, qty, price = report.event_ns, float(report.qty_ltc), float(report.price_usdt)
        if report.kind == "deleveraging":
            return [ev.Deleveraged(when, now_ns, leg, qty, price)]
        alive = self._held.get(POSITION, Decimal(0)) != 0
        fee = float(report.fee_usdt)
        return [ev.Liquidated(when, now_ns, price, alive, leg, qty, fee)]

    def _on_funding(self, report: FundingReport, now_ns: int) -> list[ev.AccountEvent]:
        if not self._is_new((report.event_ns, report.amount_usdt)):
            return []
        leg = HEDGE if self.placement.is_second else POSITION
        amount = float(report.amount_usdt)
        return [ev.FundingPaid(report.event_ns, now_ns, ev.UNKNOWN, ev.UNKNOWN, amount, leg)]

    # --- memory -------------------------------------------------------------------------------

    def _remember(self, order: Order, now_ns: int, middle_usdt: float) -> _Known:
        known = _Known(order, middle_usdt, now_ns, now_ns + FIRST_QUESTION_NS)
        self._orders[order.client_id] = known
        if len(self._orders) >= REMEMBERED + FORGOTTEN:
            ended = [name for name, old in self._orders.items() if not old.order.is_open]
            for name in ended[: max(0, len(ended) - REMEMBERED)]:
                del self._orders[name]
        return known

    def _is_new(self, key: object) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True

    def _tell(self, known: _Known, event: OrderEvent) -> list[ev.AccountEvent]:
        """Follow the order as the engine will. What cannot be is told too: the engine halts."""
        try:
            known.order = advance(known.order, event)
        except OrderProtocolError:
            known.ask_at_ns = max(known.ask_at_ns, event.known_ns + LONGEST_WAIT_NS)
        return [event]

    def _end(
        self, known: _Known, kind: type[ev.OrderRejected | ev.OrderExpired], when_ns: int,
        now_ns: int, why: str, raises_only: bool = False,
    ) -> list[ev.AccountEvent]:  # fmt: skip
        name = known.order.client_id
        if kind is ev.OrderRejected:
            return self._tell(known, ev.OrderRejected(when_ns, now_ns, name, why, raises_only))
        return self._tell(known, ev.OrderExpired(when_ns, now_ns, name, why))
