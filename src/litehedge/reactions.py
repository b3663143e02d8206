"""What the engine does when the venue, a person or the clock speaks (the market is in `engine`)."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from litehedge.closing import (
    is_at_it,
    on_close_all,
    on_closing_fill,
    on_closing_miss,
    stop_closing,
)
from litehedge.contract import on_contract_changed
from litehedge.decision import money_back, money_came, note_forced_closing, note_opening, sizes
from litehedge.effects import Alert, CancelAll, Effect, Query, QueryTransfer
from litehedge.engine_state import State, Stop, transition
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
from litehedge.protecting import fallback, note_outcome
from litehedge.risk.backoff import order_refused, orders_taken
from litehedge.risk.governor import spend_cost, spend_funding
from litehedge.risk.limits import new_budget
from litehedge.risk.parachute import WATCHES, Fallback
from litehedge.risk.state import RESUME_WORD, Cause, TradingState
from litehedge.stops import on_stop_armed, on_stop_failed, on_stop_filled
from litehedge.truth import (
    is_known,
    note_booked,
    on_adopt,
    on_ignore,
    on_reported,
    on_resumed,
    settle,
)
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

ANSWER_NS: Final = 60 * NS_PER_SECOND
"""An order without an end after this time is asked about."""

IMPATIENT_NS: Final = 10 * NS_PER_SECOND
"""The same where the market is seen between frames: while an order is open nothing else is sent."""

RETRY_NS: Final = 5 * NS_PER_MINUTE
"""After a transfer was refused, none is tried for this long; nor is a hedge, after the venue
refused whatever raises exposure."""

_NOTHING: Final[list[Effect]] = []


def _on_opened(state: State, event: ev.Opened) -> list[Effect]:
    # Whatever stands at the venue, it is told anew what is wanted, be it nothing.
    state.stops = {leg: Stop(is_known=False) for leg in (POSITION, HEDGE) if event.is_resumed}
    if event.is_resumed and state.is_begun:
        return on_resumed(state, event)
    state.is_begun = True
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
    state.closing, state.ignored_ltc, state.plans_true_ns = None, [0.0, 0.0], {}
    state.is_open = event.qty_ltc != 0.0
    return transition(state, Cause.NEW_POSITION, event.known_ns)


def _on_order(state: State, event: OrderEvent) -> list[Effect]:
    if state.order is None or state.order.client_id != event.client_id:
        text = f"the venue speaks of order {event.client_id}, which is not ours"
        return [
            *transition(state, Cause.ORDER_PROTOCOL, event.known_ns),
            Alert("act_now", text, "foreign order"),
        ]
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
        if state.closing is None:
            effects = _closed_for_good(state, order, event)
        else:
            on_closing_fill(state, order, event.leg, event.qty_ltc)
    is_miss = isinstance(event, ev.OrderRejected | ev.OrderExpired) and not order.filled_ltc
    if is_miss and is_at_it(state):
        effects = on_closing_miss(state, order, order.reason, event.known_ns)
    elif isinstance(event, ev.OrderRejected):
        effects = _told_refusal(state, event)
        order_refused(state.budgets, event.known_ns)
        if event.raises_only:
            _note_refusal(state, order, event.known_ns)
            orders_taken(state.budgets)  # what reduces need not wait
    elif isinstance(event, ev.OrderFilled | ev.OrderExpired):
        orders_taken(state.budgets)
    if isinstance(event, ev.OrderFilled):
        if state.refused > 0:
            effects = [*effects, Alert("done", "orders are taken again", "orders", clears=True)]
        state.refused = 0
    effects = effects + note_outcome(state, order, event)
    if not order.is_open and state.asked_ns >= order.decided_ns:
        text = f"order {order.client_id} has come to its end: {order.state}"
        effects = [*effects, Alert("done", text, "order's answer", clears=True)]
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
    return [Alert("act_now", text, "orders")]


def _note_refusal(state: State, order: Order, now_ns: int) -> None:
    """The venue takes nothing that raises exposure: for a while, reduce where we would hedge."""
    falls_back = state.fixed.settings.hedge.fall_back_to_reduce
    if falls_back and order.leg == HEDGE and not order.reduce_only:
        state.hedge_wait_ns = now_ns + RETRY_NS
        orders_taken(state.budgets)  # what comes instead is another kind, and must not wait


def _closed_for_good(state: State, order: Order, event: ev.OrderFilled) -> list[Effect]:
    """Remember what was closed of the position, not as a hedge: it does not come back."""
    if event.leg != POSITION:
        return _NOTHING
    if state.terms["location"][0] == REDUCE:
        if not order.protects:
            return _NOTHING
        state.terms["size"] = max(0.0, float(state.terms["size"][0]) - abs(event.qty_ltc))
    else:
        state.closed_ltc += abs(event.qty_ltc)
    position, hedge = state.books["qty"][0].tolist()
    if position != 0.0:
        return _NOTHING
    state.is_open = False
    why = "liquidation was near" if order.protects else "the venue took no hedge"
    text = f"the whole position was closed, since {why}"
    if hedge != 0.0:
        text += f"; the hedge of {abs(hedge):.3f} LTC stands alone, close it"
    return [Alert("act_now", text)]


def _on_funding_paid(state: State, event: ev.FundingPaid) -> list[Effect]:
    # Of the last price, as in backtests; right after a start there was none yet.
    paid_ns = state.price_ns if state.price_ns >= 0 else event.known_ns
    if event.amount_usdt != event.amount_usdt:  # NaN: not told
        hedge_pays = float(state.books["qty"][0, HEDGE]) * event.mark * event.rate
        spend_funding(state.budgets, hedge_pays, paid_ns)
        apply_funding(state.books, event.mark, event.rate)
        return _NOTHING
    if event.leg == HEDGE:
        spend_funding(state.budgets, -event.amount_usdt, paid_ns)
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
    state.decide_soon = True
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
        return [Alert("act_now", text, "transfer")]
    if isinstance(event, ev.TransferArrived):
        # What came may differ from what we counted upon by what the way really cost.
        account = state.books[0]
        account["transfer_fees"] += account["under_way"][ours.target] - event.amount_usdt
        account["under_way"][ours.target] = event.amount_usdt
        money_came(state.terms, state.books, ours.target)
        text = f"{event.amount_usdt:.2f} USDT arrived on the other venue"
        return [Alert("done", text, "transfer", clears=True)]
    return _NOTHING


def _on_halt(state: State, event: ev.Halt) -> list[Effect]:
    changes = transition(state, Cause.HALT_COMMAND, event.known_ns)
    return [
        *stop_closing(state, "a halt"),
        *(changes or [CancelAll(event.reason)]),
        Alert("done", "halted: open position and hedge stay as they are"),
    ]


def _on_resume(state: State, event: ev.Resume) -> list[Effect]:
    if event.word != RESUME_WORD:
        return [Alert("done", f"not resumed: type {RESUME_WORD} to resume")]
    if state.is_differing:
        text = (
            "not resumed: our books differ from the venue's; adopt the venue's first, or ignore "
            "what differs"
        )
        return [Alert("act_now", text)]
    if fallback(state) is Fallback.HALT:
        why = "; ".join(
            f"{WATCHES[watch].meaning}, {detail}"
            for watch, detail in state.guards.chute.open.items()
            if WATCHES[watch].fallback is Fallback.HALT
        )
        return [Alert("act_now", f"not resumed: {why}; mend that first, then resume")]
    ended = stop_closing(state, "resuming")
    return ended + transition(state, Cause.RESUME_COMMAND, event.known_ns)


def _on_override(state: State, event: ev.SetHedge | ev.Freeze) -> list[Effect]:
    state.override = event
    state.decide_soon = True
    return _NOTHING


def _on_follow(state: State, event: ev.Follow) -> list[Effect]:
    state.override = None
    state.decide_soon = True
    return stop_closing(state, "following the policy")


def _on_recording(state: State, event: ev.Recording) -> list[Effect]:
    """Take no new risk while the journal does not keep what happens, and until it does again."""
    state.is_unrecorded = bool(event.trouble)
    if state.is_unrecorded:
        text = f"{event.trouble}. It is kept in memory; until it is written nothing raises risk"
        return [*transition(state, Cause.RECORD_FAILS, event.known_ns), Alert("act_now", text)]
    was_why, state.is_reduced_by_record = state.is_reduced_by_record, False
    told = Alert("done", "the journal is written again, and whole")
    if not was_why or state.trading is not TradingState.REDUCING:
        return [told]
    return [told, *transition(state, Cause.RECORD_KEPT, event.known_ns)]


def check_clock(state: State, event: ev.AnyEvent) -> list[Effect]:
    """Halt when an event lies further in the future than the clocks may differ."""
    skew_ms = (event.event_ns - event.known_ns) / NS_PER_MS
    if skew_ms <= state.fixed.settings.limits.max_clock_skew_ms:
        return _NOTHING
    text = f"an event lies {skew_ms:.0f} ms in the future: check this machine's clock"
    return [*transition(state, Cause.CLOCK_SKEW, event.known_ns), Alert("act_now", text, "clock")]


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
        text = f"no price for {age_s:.0f} s: the hedge stays as it is"
        return [Alert("act_now", text, "price")]
    return [Alert("done", "the price feed is back", "price", clears=True)]


def check_order(state: State, now_ns: int) -> list[Effect]:
    """Ask the venue about an order that it leaves without an end, again and again.

    While it is open nothing else is sent: two orders at once could hedge twice.
    """
    order = state.order
    patience_ns = IMPATIENT_NS if state.guards.is_watching else ANSWER_NS
    if order is None or now_ns - max(order.decided_ns, state.asked_ns) < patience_ns:
        return _NOTHING
    first = state.asked_ns < order.decided_ns
    state.asked_ns = now_ns
    text = (
        f"order {order.client_id} is {order.state} since {patience_ns // NS_PER_SECOND} s: asking"
    )
    told = [Alert("act_now", text, "order's answer")] if first else []
    return [Query(order.client_id), *told]


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
    return [query, *([Alert("act_now", text, "transfer")] if first else [])]


def _on_vitals(state: State, event: ev.Vitals) -> list[Effect]:
    state.guards.chute.on_vitals(
        event.known_ns, event.skew_ms, event.lag_ms, is_second=event.is_second
    )
    return _NOTHING


def _on_report(state: State, event: ev.Reported) -> list[Effect]:
    state.guards.chute.on_account(event.known_ns)
    return on_reported(state, event)


def _on_unused(state: State, event: ev.AnyEvent) -> list[Effect]:
    return _NOTHING


REACTIONS: Final[dict[type[ev.Event], Callable[[State, Any], list[Effect]]]] = {
    ev.Opened: _on_opened,
    ev.Reported: _on_report,
    ev.OrderAccepted: _on_order,
    ev.OrderRejected: _on_order,
    ev.OrderFilled: _on_order,
    ev.OrderExpired: _on_order,
    ev.OrderUnknown: _on_order,
    ev.FundingPaid: _on_funding_paid,
    ev.Liquidated: _on_liquidated,
    ev.Deleveraged: _on_deleveraged,
    ev.StopArmed: on_stop_armed,
    ev.StopFailed: on_stop_failed,
    ev.StopFilled: on_stop_filled,
    ev.Vitals: _on_vitals,
    ev.ContractChanged: on_contract_changed,
    ev.Recording: _on_recording,
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
    ev.Ignore: on_ignore,
    ev.CloseAll: on_close_all,
}
