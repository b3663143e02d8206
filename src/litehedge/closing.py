"""Close all: position and hedge are closed for good, because a person or their plan asked for it.

It goes on in every trading state and over restarts, until both legs are flat: one order at a time,
each of which only reduces its leg, a second apart at least. Trading is HALTED from the command on,
so that nothing else trades meanwhile, and stays so: afterwards the engine only watches.

The larger leg goes first, down to the size of the other, so that the net exposure falls. Legs that
are alike are closed in turns and in slices: in between no more than a slice is unhedged.
"""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor, isfinite
from typing import Final

from msgspec import structs

from litehedge.effects import Alert, CancelAll, Closing, Effect, Submit
from litehedge.engine_state import State, rules_of, transition
from litehedge.hedge.exposure import REDUCE
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.market import events as ev
from litehedge.orders.manager import Order, new_order
from litehedge.risk.limits import refill, spend_order, whole_lots
from litehedge.risk.state import Cause
from litehedge.truth import closable
from litehedge.units import BPS, NS_PER_SECOND

PAUSE_NS: Final = NS_PER_SECOND
LONGEST_PAUSE_NS: Final = 30 * NS_PER_SECOND
WIDER: Final = 2.0
"""By how much the collar is wider than that of other orders: to get out counts more than price."""
WIDEST: Final = 0.05
SLICES: Final = 4
SMALLEST_ORDERS: Final = 2.0  # a slice is worth so many of the venue's smallest orders at least

_NOTHING: Final[list[Effect]] = []


def is_flat(state: State) -> bool:
    """Tell whether our books hold less than a lot of either leg."""
    return all(
        abs(float(state.books["qty"][0, leg])) < rules_of(state, leg).lot_ltc * (1.0 - 1e-6)
        for leg in (POSITION, HEDGE)
    )


def closing_change(state: State, price: float) -> tuple[int, float]:
    """Return the leg to close next and by how much, signed LTC; 0 where nothing can be closed.

    No order takes more than its share of the visible depth. While the legs differ, the larger one
    is closed, never below the other; legs that are alike by a slice, the position first.
    """
    limits = state.fixed.settings.limits
    lot = _coarser_lot(state)
    held = closable(state)
    sizes = [abs(qty) for qty in held]
    leg = POSITION if sizes[POSITION] >= sizes[HEDGE] - 0.5 * lot else HEDGE
    if sizes[leg] < rules_of(state, leg).lot_ltc * (1.0 - 1e-6):
        leg = HEDGE if leg == POSITION else POSITION  # of this one there is less than an order
    most, venue = sizes[leg], rules_of(state, leg)
    if held[POSITION] * held[HEDGE] < 0.0:
        apart = abs(sizes[POSITION] - sizes[HEDGE])
        slice_ltc = most if state.closing is None else state.closing.slice_ltc
        most = min(most, apart if apart >= lot * (1.0 - 1e-6) else slice_ltc)
    if isfinite(state.last_depth_usdt):
        share = limits.max_depth_share * max(0.0, state.last_depth_usdt)
        most = min(most, max(share, SMALLEST_ORDERS * venue.min_notional_usdt) / price)
    qty = float(whole_lots(most, venue.lot_ltc))
    return leg, -qty if held[leg] > 0.0 else qty


def on_close_all(state: State, event: ev.CloseAll) -> list[Effect]:
    """Begin to close: trading is HALTED, what is in flight is cancelled."""
    if state.closing is not None:
        return [Alert("done", f"everything is being closed already: {state.closing.reason}")]
    effects = transition(state, Cause.CLOSE_ALL, event.known_ns)
    if state.order is not None and not effects:
        effects = [CancelAll(event.reason)]
    state.override = None
    state.closing = Closing(event.reason, _slice(state))
    text = f"closing {_left(state)} ({event.reason}); after that trading stays HALTED"
    if state.needs_reconciling:
        text += ". First the venue is asked what it holds"
    return [*effects, Alert("act_now", text)]


def _slice(state: State) -> float:
    """Return the largest order while both legs are alike, LTC: whole lots."""
    lot = _coarser_lot(state)
    largest = float(abs(state.books["qty"][0]).max())
    least = 0.0
    if state.last_price > 0.0:
        smallest = max(rules_of(state, leg).min_notional_usdt for leg in (POSITION, HEDGE))
        least = SMALLEST_ORDERS * smallest / state.last_price
    lots = ceil(max(largest / SLICES, least) / lot * (1.0 - 1e-12))
    return round(max(1, lots) * lot, 8)


def _coarser_lot(state: State) -> float:
    """Return the quantity step in which both legs can be compared."""
    return max(rules_of(state, leg).lot_ltc for leg in (POSITION, HEDGE))


def close_on(state: State, now_ns: int) -> list[Effect]:
    """Send the next order once nothing is in flight; when both legs are flat, say so."""
    closing = state.closing
    if closing is None or state.order is not None or state.needs_reconciling:
        return _NOTHING
    if is_flat(state):
        # Until it is settled what the venue holds, more may turn up.
        return _NOTHING if state.differs_ns >= 0 else _done(state, now_ns)
    price = state.last_price
    if now_ns < closing.next_ns or not price > 0.0:
        return _NOTHING
    leg, qty = closing_change(state, price)
    if qty == 0.0:
        return _NOTHING
    venue = rules_of(state, leg)
    order = new_order(
        state.fixed.session,
        state.orders_made,
        leg,
        qty,
        _limit(state, venue.tick_usdt, price, qty),
        lot=Decimal(repr(venue.lot_ltc)),
        tick=Decimal(repr(venue.tick_usdt)),
        reduce_only=True,
        decided_ns=now_ns,
    )
    state.order = order
    state.orders_made += 1
    # It counts, but no limit on how many orders there may be holds it up: see the pause.
    refill(state.budgets, state.limits, now_ns)
    spend_order(state.budgets, 0.0)
    state.closing = structs.replace(closing, next_ns=now_ns + PAUSE_NS)
    return [Submit(order)]


def _limit(state: State, tick: float, price: float, qty: float) -> float:
    """Return the worst price of an order, USDT: inside the wide collar, on a tick."""
    collar = state.fixed.settings.limits.collar_bps * BPS
    collar = max(collar, min(WIDER * collar, WIDEST))
    if qty > 0.0:
        ticks = floor(price * (1.0 + collar) / tick + 1e-9)
    else:
        ticks = max(1, ceil(price * (1.0 - collar) / tick - 1e-9))
    return round(ticks * tick, 8)


def on_closing_fill(state: State, order: Order, leg: int, qty_ltc: float) -> None:
    """Note what became of a leg by a fill: what is closed is gone, and no hedge to be lifted."""
    if state.closing is not None:
        state.closing = structs.replace(state.closing, misses=0)
    if leg != POSITION:
        return
    if state.terms["location"][0] == REDUCE and order.reduce_only:
        state.terms["size"] = max(0.0, float(state.terms["size"][0]) - abs(qty_ltc))
    state.is_open = bool(state.books["qty"][0, POSITION] != 0.0)


def is_at_it(state: State) -> bool:
    """Tell whether the order in flight is one that closes, not one from before."""
    return state.closing is not None and state.closing.next_ns > 0


def on_closing_miss(state: State, order: Order, why: str, now_ns: int) -> list[Effect]:
    """After an order of which nothing traded: wait a while, longer each time, and tell."""
    closing = state.closing
    if closing is None:
        return _NOTHING
    misses = closing.misses + 1
    wait_ns = min(LONGEST_PAUSE_NS, PAUSE_NS << min(misses, 10))
    state.closing = structs.replace(closing, misses=misses, next_ns=now_ns + wait_ns)
    what = "hedge" if order.leg == HEDGE else "position"
    seconds = wait_ns // NS_PER_SECOND
    text = f"closing the {what}: {order.client_id} did not trade: {why}; again in {seconds} s"
    return [Alert("act_now", text)]


def stop_closing(state: State, by: str) -> list[Effect]:
    """End it, because a person said something else; say what is left."""
    if state.closing is None:
        return _NOTHING
    state.closing = None
    if is_flat(state):
        return _NOTHING
    return [Alert("act_now", f"closing was ended by {by}: {_left(state)} are left")]


def _done(state: State, now_ns: int) -> list[Effect]:
    assert state.closing is not None
    reason = state.closing.reason
    state.closing = None
    state.is_open = False
    state.closed_ltc = 0.0
    if state.terms["location"][0] == REDUCE:
        state.terms["size"] = 0.0
    text = f"position and hedge are closed ({reason})"
    if state.last_price > 0.0:
        text += f"; the account is worth {float(equity(state.books, state.last_price)):.2f} USDT"
    return [Alert("done", f"{text}; trading is {state.trading.name}: only watching")]


def _left(state: State) -> str:
    position, hedge = (abs(qty) for qty in state.books["qty"][0].tolist())
    return f"{position:.3f} LTC of the position and {hedge:.3f} LTC of the hedge"
