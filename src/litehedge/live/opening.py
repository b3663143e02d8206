"""The start on real accounts: nothing is sent before every account has told what it holds."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from litehedge.errors import VenueError, WrongSetup
from litehedge.live.trader import Account
from litehedge.market import events as ev
from litehedge.orders.manager import Order, is_ours
from litehedge.orders.reconcile import Reconciliation
from litehedge.ports import Outlet

log = logging.getLogger("litehedge.live")

PATIENCE_S: Final = 120.0
RETRY_S: Final = 0.5


async def reconcile(
    first: Account,
    second: Account | None,
    order: Order | None,
    out: Outlet,
    *,
    is_resumed: bool,
    kept: tuple[float, bool] = (1.0, False),
    patience_s: float = PATIENCE_S,
) -> list[ev.AccountEvent]:
    """Bring every account to rest and return what the engine has to be told, in order.

    The order of an earlier run that has no end is asked about until it has one, what is open is
    cancelled, then each account tells what it holds.

    Parameters
    ----------
    order
        What the journal knows to be on its way, None where nothing is.
    kept
        Leverage of the position and whether it is isolated, by the journal: of a position that was
        reduced to nothing some venues tell neither.

    Raises
    ------
    WrongSetup
        When an account does not fit where our legs are meant to live, or does not come to rest in
        time. Position and hedge stay as they are.
    """
    plan = Reconciliation(
        "" if order is None else order.client_id,
        first.desk.placement,
        None if second is None else second.desk.placement,
    )
    accounts = [first] if second is None else [first, second]
    told: list[ev.AccountEvent] = []
    asked: Account | None = None
    if order is not None:
        asked = next((a for a in accounts if a.desk.placement.holds(order.leg)), first)
        asked.desk.resume(order, out.now_ns())
    clock = asyncio.get_running_loop().time
    until = clock() + patience_s
    while plan.step != "open":
        if clock() > until:
            raise WrongSetup(
                f"the accounts did not come to rest within {patience_s:.0f} s (next: {plan.step})",
                "nothing was sent; position and hedge stay as they are; see the log, start again",
            )
        try:
            done = await _step(plan, accounts, asked, told, out)
        except WrongSetup:
            raise
        except VenueError as error:
            log.warning("at the start: %s", error)
            done = False
        if not done:
            await asyncio.sleep(RETRY_S)
    if plan.faults:
        raise WrongSetup("; ".join(plan.faults), "nothing was started")
    return [*told, *plan.events(out.now_ns(), is_resumed=is_resumed, kept=kept)]


async def _step(
    plan: Reconciliation,
    accounts: list[Account],
    asked: Account | None,
    told: list[ev.AccountEvent],
    out: Outlet,
) -> bool:
    """Do what is next; return whether it is worth going on at once."""
    match plan.step:
        case "ask the order":
            assert asked is not None
            report = await asked.client.order(plan.order_id)
            said = asked.desk.on_report(report, out.now_ns())
            told += said
            for event in said:
                plan.on_event(event)
            if plan.order_id and plan.order_id not in asked.desk.open_orders:
                plan.order_ended(plan.order_id)  # filled, which is an end of its own
            return not plan.order_id
        case "cancel":
            for account in accounts:
                await account.client.cancel_all()
            left = [name for account in accounts for name in await account.client.open_orders()]
            if any(is_ours(name) for name in left):
                return False
            if left:
                log.warning("%d open orders are not ours and stay", len(left))
            plan.cancelled()
        case "ask the account":
            plan.told(await accounts[0].client.account())
        case "ask the second account":
            plan.told(await accounts[1].client.account(), is_second=True)
        case _:
            pass
    return True
