"""What an account holds, as a venue reports it, in the engine's words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.placing import Placement
from litehedge.orders.reports import AccountReport


def reported(
    report: AccountReport,
    placement: Placement,
    now_ns: int,
    held: dict[int, Decimal] | None = None,
) -> ev.Reported:
    """Return what an account holds as an event; `held` is brought up to it."""
    told: dict[str, float] = {}
    wallet = "second_wallet_usdt" if placement.is_second else "wallet_usdt"
    told[wallet] = float(report.wallet_usdt)
    names = {POSITION: ("", "entry_usdt"), HEDGE: ("hedge_", "hedge_entry_usdt")}
    for leg, (prefix, entry) in names.items():
        if not placement.holds(leg):
            continue
        ours = [part for part in report.legs if placement.leg_of(part.position_side) == leg]
        qty = sum((part.qty_ltc for part in ours), Decimal(0))
        told[f"{prefix}qty_ltc"] = float(qty)
        told[entry] = _entry(ours, qty)
        isolated = [part.isolated_wallet_usdt for part in ours if part.isolated]
        if isolated:
            told[f"{prefix}isolated_usdt"] = float(sum(isolated, Decimal(0)))
        if held is not None:
            held[leg] = qty
    return ev.Reported(report.event_ns, now_ns, **told)


def _entry(legs: Iterable[object], qty: Decimal) -> float:
    """Return the entry of a leg, 0 where nothing is held."""
    entries = [part.entry_usdt for part in legs if part.qty_ltc != 0]  # type: ignore[attr-defined]
    return float(entries[0]) if qty != 0 and entries else 0.0
