"""What a session guarded before it was started again, by its journal.

A position that was reduced to nothing leaves no trace at the venue: only the journal knows which
way it profits, how large it is, and what margin mode it had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from litehedge.config import HedgeLocation, Position
from litehedge.errors import UsageError
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.orders.placing import Placement
from litehedge.orders.reports import AccountReport
from litehedge.store.journal import Journal, ResumePoint

_PLACES: Final = {
    "same_account": "in the same account",
    "second_venue": "on a second venue",
    "reduce": "in the position itself, which is made smaller",
}


@dataclass(frozen=True, slots=True)
class Before:
    """What the last run guarded. Quantities are signed, in LTC.

    `left_ltc` is what an order without an end would leave of the position if it traded whole.
    """

    position: Position
    location: HedgeLocation
    held_ltc: float
    left_ltc: float
    sold_ltc: float  # unsigned; of a reduced position, still to be bought back
    lot_ltc: float
    is_asking: bool  # whether an order has no end yet

    @property
    def may_be_flat(self) -> bool:
        """Whether we ourselves may have reduced the position to nothing."""
        least = min(abs(self.held_ltc), abs(self.left_ltc))
        return self.location == "reduce" and least < 0.5 * self.lot_ltc

    @property
    def is_reduced(self) -> bool:
        """Whether the venue may hold less of the position than is guarded."""
        return self.location == "reduce" and (
            self.sold_ltc >= 0.5 * self.lot_ltc or self.left_ltc != self.held_ltc
        )


def before_of(journal: Journal) -> Before | None:
    """Return what the journal's last run guarded, None where there was no position.

    Raises
    ------
    JournalError
        When the journal cannot be read.
    """
    point = journal.resume_point()
    if point is None or not point.checkpoint.is_open:
        return None
    settings, checkpoint = point.header.settings, point.checkpoint
    held = checkpoint.books["qty"][POSITION] + _filled(point)
    order = _without_end(point)
    left = held
    if order is not None and order.leg == POSITION:
        left += float(order.qty_ltc - order.filled_ltc) - _filled(point)
    location = location_of(point)
    sold = max(0.0, checkpoint.size_ltc - abs(held)) if location == "reduce" else 0.0
    position = Position.model_validate(settings["position"])
    lot = float(settings["venue"]["lot_ltc"])
    return Before(position, location, held, left, sold, lot, order is not None)


def location_of(point: ResumePoint) -> HedgeLocation:
    """Return where a run's hedge lived."""
    location: HedgeLocation = point.header.settings["hedge"]["location"]
    return location


def _filled(point: ResumePoint) -> float:
    """Return what orders traded of the position after the checkpoint, signed LTC."""
    return sum(
        event.qty_ltc
        for event in point.events
        if isinstance(event, ev.OrderFilled) and event.leg == POSITION
    )


def _without_end(point: ResumePoint) -> Order | None:
    """Return the order that was in flight, None where the journal knows its end."""
    order = point.checkpoint.order
    ends = (ev.OrderExpired, ev.OrderRejected)
    if order is None or any(isinstance(e, ends) for e in point.events):
        return None
    traded = sum(abs(e.qty_ltc) for e in point.events if isinstance(e, ev.OrderFilled))
    return order if traded < float(abs(order.qty_ltc - order.filled_ltc)) else None


def hedge_leg_ltc(report: AccountReport, position: Position) -> float:
    """Return what an account holds on the other side of the position, signed LTC."""
    there = Placement(position.side, "same_account", report.hedge_mode)
    return float(sum(x.qty_ltc for x in report.legs if there.leg_of(x.position_side) == HEDGE))


def check_place(
    session: str, then: HedgeLocation, now: HedgeLocation, *, hedge_ltc: float, sold_ltc: float,
    lot_ltc: float, is_asking: bool = False, is_open: bool = True,
) -> None:  # fmt: skip
    """Refuse another place of the hedge while what the old one holds would be left alone.

    Parameters
    ----------
    hedge_ltc
        What stands of a hedge leg.
    sold_ltc
        What was sold of a reduced position and is to be bought back.
    is_asking
        Whether an order has no end yet.
    is_open
        Whether a position is guarded at all.

    Raises
    ------
    UsageError
        When something of the hedge stands.
    """
    if then == now:
        return
    stands = ""
    if abs(hedge_ltc) >= 0.5 * lot_ltc:
        stands = f"a hedge of {abs(hedge_ltc):.3f} LTC stands there, and nobody would mind it"
    elif sold_ltc >= 0.5 * lot_ltc:
        stands = f"{sold_ltc:.3f} LTC of it are sold, and nobody would buy them back"
    elif is_asking:
        stands = "an order has no end yet"
    elif is_open and "second_venue" in (then, now):
        stands = "the money would be in other wallets"
    if not stands:
        return
    raise UsageError(
        f"session {session} keeps its hedge {_PLACES[then]} (hedge.location = {then}), and now "
        f"hedge.location is {now}: {stands}",
        f'set hedge.location = "{then}" in litehedge.toml (or LITEHEDGE_HEDGE__LOCATION={then}) '
        "and start again. To change it, let the hedge go first (litehedge override set 0 --for 1h "
        f"--name {session}), then stop; or give this one another --name. Nothing was started",
    )
