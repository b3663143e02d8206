"""What has to be done at a start before anything may be sent, in which order. Pure: a plan.

The order that was on its way is asked about until it has an end, then what is open is cancelled,
then each account tells what it holds: an account asked earlier could still change. Only then is
there an `Opened`, and the engine sends nothing before it.
"""

from __future__ import annotations

from typing import Literal

from litehedge.margin.account import POSITION
from litehedge.market import events as ev
from litehedge.orders.holdings import reported
from litehedge.orders.placing import Placement, setup_faults
from litehedge.orders.reports import AccountReport, LegReport

Step = Literal["ask the order", "cancel", "ask the account", "ask the second account", "open"]


class Reconciliation:
    """Follows a start, step by step.

    Parameters
    ----------
    order_id
        Of the last order in the journal that has no end, "" where there is none.
    placement, second
        Where our legs live; `second` is None without a second venue.
    """

    def __init__(
        self, order_id: str, placement: Placement, second: Placement | None = None
    ) -> None:
        self.order_id = order_id
        self._placement = placement
        self._second = second
        self._is_cancelled = False
        self._report: AccountReport | None = None
        self._second_report: AccountReport | None = None

    @property
    def step(self) -> Step:
        """What is to be done next; again and again until it is done."""
        if self.order_id:
            return "ask the order"
        if not self._is_cancelled:
            return "cancel"
        if self._report is None:
            return "ask the account"
        if self._second is not None and self._second_report is None:
            return "ask the second account"
        return "open"

    def on_event(self, event: ev.AccountEvent) -> None:
        """See what the desk tells: whether the order has ended."""
        if isinstance(event, (ev.OrderRejected, ev.OrderExpired)):
            self.order_ended(event.client_id)

    def order_ended(self, client_id: str) -> None:
        """Note that an order has its end: filled, expired, or never known."""
        if client_id == self.order_id:
            self.order_id = ""

    def cancelled(self) -> None:
        """Note that the venues confirmed that nothing of ours is open."""
        self._is_cancelled = self.step != "ask the order"

    def told(self, report: AccountReport, *, is_second: bool = False) -> None:
        """Note what an account holds; from before its turn it counts for nothing."""
        if self.step in ("ask the order", "cancel"):
            return
        if is_second:
            self._second_report = report
        else:
            self._report = report

    @property
    def faults(self) -> list[str]:
        """What about the accounts does not fit where our legs are meant to live, in words."""
        found: list[str] = []
        if self._report is not None:
            found += setup_faults(self._report, self._placement)
        if self._second_report is not None and self._second is not None:
            found += [f"second venue: {x}" for x in setup_faults(self._second_report, self._second)]
        return found

    def events(
        self, now_ns: int, *, is_resumed: bool, kept: tuple[float, bool] = (1.0, False)
    ) -> list[ev.AccountEvent]:
        """Return the `Opened` and what each account reported, for the engine.

        `Reported` follows because it says what is set aside for isolated legs. `kept` is the
        position's leverage, and whether it is isolated, where the venue tells of no such leg.
        """
        assert self._report is not None
        told = [reported(self._report, self._placement, now_ns)]
        wallet2: float | None = None
        if self._second is not None and self._second_report is not None:
            told.append(reported(self._second_report, self._second, now_ns))
            wallet2 = told[1].second_wallet_usdt
        first, last = told[0], told[-1]
        leg = self._leg()
        opened = ev.Opened(
            min(report.event_ns for report in told),
            now_ns,
            first.wallet_usdt,
            wallet2,
            _or_zero(first.qty_ltc),
            _or_zero(first.entry_usdt),
            float(leg.leverage) if leg is not None else kept[0],
            leg.isolated if leg is not None else kept[1],
            _or_zero(last.hedge_qty_ltc),
            _or_zero(last.hedge_entry_usdt),
            is_resumed,
        )
        return [opened, *told]

    def _leg(self) -> LegReport | None:
        """Return the position's leg as its venue tells it, an empty one at worst."""
        assert self._report is not None
        ours = [
            leg
            for leg in self._report.legs
            if self._placement.leg_of(leg.position_side) == POSITION
        ]
        ours.sort(key=lambda leg: abs(leg.qty_ltc), reverse=True)
        return ours[0] if ours else None


def _or_zero(value: float) -> float:
    return value if value == value else 0.0
