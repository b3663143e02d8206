"""What the engine does when the venue, a person or the clock speaks (the market is in `engine`)."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from litehedge.decision import money_back, money_came, note_forced_closing, note_opening, sizes
from litehedge.effects import Alert, CancelAll, Effect, Query, QueryTransfer
from litehedge.engine_state import State, transition
from litehedge.errors import OrderProtocolError
from litehedge.hedge.exposure import REDUCE
from litehedge.hedge.rule_kernel import new_memory
from litehedge.margin.account import (
    HEDGE,
    POSITION,
    apply_fill,
    apply_funding,
    equity,
    new_account,
)
from litehedge.margin.liquidation import liquidate
from litehedge.market import events as ev
from litehedge.orders.manager import Order, OrderEvent, advance
from litehedge.orders.transfers import TransferEvent, TransferState, is_of
from litehedge.orders.transfers import advance as advance_transfer
from litehedge.risk.limits import new_budget, spend_cost
from litehedge.risk.state import RESUME_WORD, Cause
from litehedge.truth import is_known, note_booked, on_adopt, on_reported, on_resumed, settle
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

ANSWER_NS: Final = 60 * NS_PER_SECOND
"""An order without an end after this time is asked about."""

RETRY_NS: Final = 5 * NS_PER_MINUTE
"""After a transfer was refused, none is tried for this long; nor is a hedge, after the venue
refused whatever raises exposure."""

_NOTHING: Final[list[Effect]] = []


def _on_opened(state: State, event: ev.Opened) -> list[Effect]:
    if event.is_resumed and float(state.budgets["equity_start"][0]) > 0.0:
        return on_resumed(state, event)
    if event.is_resumed:
        state.needs_reconciling = False  # there is nothing to take up: it begins here
    state.books = new_account(
        event.wallet_usdt, event.qty_ltc, event.entry_usdt, event.leverage,
        isolated=event.isolated, second_wallet_usdt=event.second_wallet_usdt,
    )  # fmt: skip
    state.books["qty"][0, HEDGE] = event.hedge_qty_ltc
    state.books["entry"][0, HEDGE] = event.hedge_entry_usdt
    note_opening(state.terms, state.books, event.entry_usdt)
    state.budgets = new_budget(equity(state.books, event.entry_usdt))
    state.memory = new_memory()
    state.order = None
    state.transfer = None  # what was under way belonged to the account before
    state.transfer_wait_ns = -1
    state.override = None  # a person spoke of the position before
    state.hedge_wait_ns, state.closed_ltc = -1, 0.0
    state.reports = [None, None]
    state.truth_ns = [event.event_ns] * 2
    state.differs_ns, state.is_differing = -1, False
    state.is_open = event.qty_ltc != 0.0
    return transition(state, Cause.NEW_POSITION, event.known_ns)


def _on_order(state: State, event: OrderEvent) -> list[Effect]:
    if state.order is None or state.order.client_id != event.client_id:
        text = f"the venue speaks of order {event.client_id}, which is not ours"
        return [*transition(state, Cause.ORDER_PROTOCOL, event.known_ns), Alert("act_now", text)]
    try:
        order = advance(state.order, event)
    except OrderProtocolError as error:
        return [
            *transition(state, Cause.ORDER_PROTOCOL, event.known_ns),
            Alert("act_now", str(error)),
        ]
    effects = _NOTHING
    if isinstance(event, ev.OrderFilled):
        apply_fill(
            state.books, event.leg, event.qty_ltc, event.price, event.fee_usdt, event.slippage_usdt
        )
        spend_cost(state.budgets, event.fee_usdt + event.slippage_usdt)
        note_booked(state, event.leg, event.event_ns)
        effects = _closed_instead(state, event)
    if isinstance(event, ev.OrderRejected):
        effects = _told_refusal(state, event)
        if event.raises_only:
            _note_refusal(state, order, event.known_ns)
    elif isinstance(event, ev.OrderFilled):
        state.refused = 0
    state.order = order if order.is_open else None
    if isinstance(event, ev.OrderUnknown):
        return [Query(event.client_id)]
    return effects + settle(state, event.known_ns)


def _told_refusal(state: State, event: ev.OrderRejected) -> list[Effect]:
    """Tell people that orders are refused: at the first, and then now and again."""
    state.refused += 1
    if state.refused > 1 and event.known_ns - state.refused_told_ns < RETRY_NS:
        return _NOTHING
    state.refused_told_ns = event.known_ns
    often = f"; {state.refused} in a row" if state.refused > 1 else ""
    text = f"order {event.client_id} was refused: {event.reason}{often}; the hedge stays as it is"
    return [Alert("act_now", text)]


def _note_refusal(state: State, order: Order, now_ns: int) -> None:
    """The venue takes nothing that raises exposure: for a while, reduce where we would hedge."""
    falls_back = state.fixed.settings.hedge.fall_back_to_reduce
    if falls_back and order.leg == HEDGE and not order.reduce_only:
        state.hedge_wait_ns = now_ns + RETRY_NS


def _closed_instead(state: State, event: ev.OrderFilled) -> list[Effect]:
    """Remember what was closed of the position instead of hedged: it does not come back."""
    if event.leg != POSITION or state.terms["location"][0] == REDUCE:
        return _NOTHING
    state.closed_ltc += abs(event.qty_ltc)
    position, hedge = state.books["qty"][0].tolist()
    if position != 0.0:
        return _NOTHING
    state.is_open = False
    text = "the whole position was closed, since the venue took no hedge"
    if hedge != 0.0:
        text += f"; the hedge of {abs(hedge):.3f} LTC stands alone, close it"
    return [Alert("act_now", text)]


def _on_funding_paid(state: State, event: ev.FundingPaid) -> list[Effect]:
    if event.amount_usdt != event.amount_usdt:  # NaN: not told
        apply_funding(state.books, event.mark, event.rate)
        return _NOTHING
    account = state.books[0]
    account["funding"] -= event.amount_usdt
    wallet = account["wallet_of"][event.leg]
    if event.event_ns > state.truth_ns[wallet]:  # else the wallet that was told has it
        if account["is_isolated"][event.leg]:
            account["isolated"][event.leg] += event.amount_usdt
        else:
            account["wallet"][wallet] += event.amount_usdt
        note_booked(state, event.leg, event.event_ns)
    return settle(state, event.known_ns)


def _on_told_liquidation(state: State, event: ev.Liquidated) -> list[Effect]:
    """Book what a venue says that it closed, for the fee that it says."""
    account = state.books[0]
    held = float(account["qty"][event.leg])
    possible = event.qty_ltc * held < 0.0 and event.price > 0.0 and isfinite(event.price)
    name = "hedge" if event.leg == HEDGE else "position"
    text = f"the venue liquidated {abs(event.qty_ltc):.3f} LTC of the {name}"
    if not possible:
        return [Alert("act_now", text + f", of which our books have {abs(held):.3f}")]
    if is_known(state, event.leg, event.event_ns):
        return [Alert("act_now", text + f" at {event.price:.2f} USDT: our books have it")]
    _, hedge = sizes(state.terms, state.books)
    closed = min(abs(event.qty_ltc), abs(held)) * (-1.0 if held > 0.0 else 1.0)
    apply_fill(state.books, event.leg, closed, event.price, 0.0, 0.0)
    account["wallet"][account["wallet_of"][event.leg]] -= event.fee_usdt
    account["clearance"] += event.fee_usdt
    account["liquidations"] += 1
    note_booked(state, event.leg, event.event_ns)
    if event.leg == POSITION:
        note_forced_closing(state.terms, state.books, hedge)
    position, hedge = account["qty"].tolist()
    state.is_open = position != 0.0
    left = position if event.leg == POSITION else hedge
    text += f" at {event.price:.2f} USDT: {abs(left):.3f} LTC are left"
    if position == 0.0 and hedge != 0.0:
        text += f"; the hedge of {abs(hedge):.3f} LTC stands alone, close it"
    return [Alert("act_now", text), *settle(state, event.known_ns)]


def _on_liquidated(state: State, event: ev.Liquidated) -> list[Effect]:
    if event.qty_ltc == event.qty_ltc and event.leg in (POSITION, HEDGE):
        return _on_told_liquidation(state, event)
    _, hedge = sizes(state.terms, state.books)
    liquidate(state.books, event.price, state.fixed.tiers.rows, state.fixed.tiers.clearance_fee)
    note_forced_closing(state.terms, state.books, hedge)
    state.is_open = event.alive and bool(state.books["qty"][0, POSITION] != 0.0)
    left = "part of the position is left" if event.alive else "nothing is left"
    return [Alert("act_now", f"liquidated at {event.price:.2f} USDT: {left}")]


def _on_deleveraged(state: State, event: ev.Deleveraged) -> list[Effect]:
    """Book what the venue closed. The next decision sees the smaller leg; orders stay."""
    if event.leg in (POSITION, HEDGE) and is_known(state, event.leg, event.event_ns):
        return _NOTHING
    held = float(state.books["qty"][0, event.leg]) if event.leg in (POSITION, HEDGE) else 0.0
    closed = abs(event.qty_ltc)
    possible = event.qty_ltc * held < 0.0 and closed <= abs(held) * (1.0 + 1e-9)
    if not (possible and isfinite(event.price) and event.price > 0.0):
        text = f"the venue deleveraged {event.qty_ltc} LTC of leg {event.leg}, which has {held}"
        return [*transition(state, Cause.ORDER_PROTOCOL, event.known_ns), Alert("act_now", text)]
    _, hedge = sizes(state.terms, state.books)
    apply_fill(state.books, event.leg, event.qty_ltc, event.price, 0.0, 0.0)
    note_booked(state, event.leg, event.event_ns)
    if event.leg == POSITION:
        note_forced_closing(state.terms, state.books, hedge)
    elif state.fixed.settings.hedge.fall_back_to_reduce:
        # It would take the next hedge as well, and refuse it first.
        state.hedge_wait_ns = event.known_ns + RETRY_NS
    position, hedge = state.books["qty"][0].tolist()
    state.is_open = position != 0.0
    name = "hedge" if event.leg == HEDGE else "position"
    left = position if event.leg == POSITION else hedge
    text = f"the venue deleveraged the {name} at {event.price:.2f} USDT: {abs(left):.3f} LTC left"
    if position == 0.0 and hedge != 0.0:
        text += f"; the hedge of {abs(hedge):.3f} LTC stands alone, close it"
    return [Alert("act_now", text), *settle(state, event.known_ns)]


def _on_transfer(state: State, event: TransferEvent) -> list[Effect]:
    """Book what became of the money; it may arrive after the position it was meant for is gone."""
    ours = state.transfer
    if ours is None or ours.transfer_id != event.transfer_id:
        text = f"the venue speaks of transfer {event.transfer_id}, "
        if is_of(state.fixed.session, event.transfer_id):
            return [Alert("act_now", text + "of an account before this one: check both wallets")]
        text += "which is not ours"
        return [*transition(state, Cause.ORDER_PROTOCOL, event.known_ns), Alert("act_now", text)]
    try:
        moved = advance_transfer(ours, event)
    except OrderProtocolError as error:
        return [
            *transition(state, Cause.ORDER_PROTOCOL, event.known_ns),
            Alert("act_now", str(error)),
        ]
    state.transfer = moved if moved.is_open else None
    if isinstance(event, ev.TransferUnknown):
        return [QueryTransfer(event.transfer_id)]
    if isinstance(event, ev.TransferRejected):
        money_back(state.terms, state.books, ours.target, float(ours.amount_usdt))
        state.transfer_wait_ns = event.known_ns + RETRY_NS
        text = f"{ours.amount_usdt} USDT were not sent: {event.reason}; the next try comes in 5 min"
        return [Alert("act_now", text)]
    if isinstance(event, ev.TransferArrived):
        # What came may differ from what we counted upon by what the way really cost.
        account = state.books[0]
        account["transfer_fees"] += account["under_way"][ours.target] - event.amount_usdt
        account["under_way"][ours.target] = event.amount_usdt
        money_came(state.terms, state.books, ours.target)
        return [Alert("done", f"{event.amount_usdt:.2f} USDT arrived on the other venue")]
    return _NOTHING


def _on_halt(state: State, event: ev.Halt) -> list[Effect]:
    changes = transition(state, Cause.HALT_COMMAND, event.known_ns)
    return [
        *(changes or [CancelAll(event.reason)]),
        Alert("done", "halted: open position and hedge stay as they are"),
    ]


def _on_resume(state: State, event: ev.Resume) -> list[Effect]:
    if event.word != RESUME_WORD:
        return [Alert("done", f"not resumed: type {RESUME_WORD} to resume")]
    if state.is_differing:
        text = "not resumed: our books differ from the venue's; adopt the venue's first"
        return [Alert("act_now", text)]
    return transition(state, Cause.RESUME_COMMAND, event.known_ns)


def _on_override(state: State, event: ev.SetHedge | ev.Freeze) -> list[Effect]:
    state.override = event
    return _NOTHING


def _on_follow(state: State, event: ev.Follow) -> list[Effect]:
    state.override = None
    return _NOTHING


def check_clock(state: State, event: ev.AnyEvent) -> list[Effect]:
    """Halt when an event lies further in the future than the clocks may differ."""
    skew_ms = (event.event_ns - event.known_ns) / NS_PER_MS
    if skew_ms <= state.fixed.settings.limits.max_clock_skew_ms:
        return _NOTHING
    text = f"an event lies {skew_ms:.0f} ms in the future: check this machine's clock"
    return [*transition(state, Cause.CLOCK_SKEW, event.known_ns), Alert("act_now", text)]


def check_age(state: State, now_ns: int) -> list[Effect]:
    """Tell people when the price feed falls silent, and when it is back.

    Without prices there are no frames and so no decisions; on an old price no hedge is lifted.
    """
    if state.price_ns < 0:
        return _NOTHING
    age_s = (now_ns - state.price_ns) / NS_PER_SECOND
    is_silent = age_s > state.fixed.settings.limits.max_price_age_s
    if is_silent == state.is_silent:
        return _NOTHING
    state.is_silent = is_silent
    if is_silent:
        return [Alert("act_now", f"no price for {age_s:.0f} s: the hedge stays as it is")]
    return [Alert("done", "the price feed is back")]


def check_order(state: State, now_ns: int) -> list[Effect]:
    """Ask the venue about an order that it leaves without an end, again and again.

    While it is open nothing else is sent: two orders at once could hedge twice.
    """
    order = state.order
    if order is None or now_ns - max(order.decided_ns, state.asked_ns) < ANSWER_NS:
        return _NOTHING
    first = state.asked_ns < order.decided_ns
    state.asked_ns = now_ns
    text = f"order {order.client_id} is {order.state} since {ANSWER_NS // NS_PER_SECOND} s: asking"
    return [Query(order.client_id), *([Alert("act_now", text)] if first else [])]


def check_transfer(state: State, now_ns: int) -> list[Effect]:
    """Ask about a transfer without an answer, and about one that should have arrived.

    While it is open no other is sent.
    """
    moved = state.transfer
    if moved is None:
        return _NOTHING
    patience_ns = ANSWER_NS
    if moved.state is TransferState.SENT:
        patience_ns += 2 * int(state.terms["transfer_delay_ns"][0])
    if now_ns - max(moved.decided_ns, state.transfer_asked_ns) < patience_ns:
        return _NOTHING
    first = state.transfer_asked_ns < moved.decided_ns
    state.transfer_asked_ns = now_ns
    minutes = (now_ns - moved.decided_ns) // NS_PER_MINUTE
    text = f"transfer {moved.transfer_id} is {moved.state} after {minutes} min: asking"
    query = QueryTransfer(moved.transfer_id)
    return [query, *([Alert("act_now", text)] if first else [])]


REACTIONS: Final[dict[type[ev.Event], Callable[[State, Any], list[Effect]]]] = {
    ev.Opened: _on_opened,
    ev.Reported: on_reported,
    ev.OrderAccepted: _on_order,
    ev.OrderRejected: _on_order,
    ev.OrderFilled: _on_order,
    ev.OrderExpired: _on_order,
    ev.OrderUnknown: _on_order,
    ev.FundingPaid: _on_funding_paid,
    ev.Liquidated: _on_liquidated,
    ev.Deleveraged: _on_deleveraged,
    ev.TransferSent: _on_transfer,
    ev.TransferArrived: _on_transfer,
    ev.TransferRejected: _on_transfer,
    ev.TransferUnknown: _on_transfer,
    ev.Halt: _on_halt,
    ev.Resume: _on_resume,
    ev.SetHedge: _on_override,
    ev.Freeze: _on_override,
    ev.Follow: _on_follow,
    ev.Adopt: on_adopt,
}
