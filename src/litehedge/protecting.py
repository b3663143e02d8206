"""What is done between two decisions: margin health, stops at the venue, the parachute.

A decision comes with a frame, once in minutes; a liquidation cascade does not wait for it. So on
every price, mark and tick the account is looked at (`protect`): is liquidation near, is a hedge
left alone, does the venue hold the right stops, can what we hear be trusted. What is sent from
here only ever reduces a leg.

A tape of bars has nothing between its frames: there none of this runs.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite, sqrt
from typing import Final

import numpy as np
from msgspec import structs

from litehedge.config import VenueRules
from litehedge.contract import is_stopped
from litehedge.decision import cost_of_hedge, sizes, worst_price
from litehedge.effects import Alert, AlertLevel, Effect, KeepStop, Protection, Submit, Watched
from litehedge.engine_state import State, rules_of, taker_fee, tiers_by_venue, transition
from litehedge.hedge import signals as sg
from litehedge.margin.account import HEDGE, POSITION
from litehedge.margin.liquidation import margin_ratio_apart
from litehedge.margin.tiers import maintenance
from litehedge.market import events as ev
from litehedge.orders.manager import Order, OrderEvent, new_order
from litehedge.risk.guards import FRESH_NS, current_mark
from litehedge.risk.health import (
    StopLevel,
    alarm_marks,
    endangered,
    preview,
    relief,
    stop_levels,
    top_up_usdt,
    wanted_stops,
)
from litehedge.risk.limits import allowances, refill, spend_order, whole_lots
from litehedge.risk.parachute import WATCHES, Change, Fallback, Watch
from litehedge.risk.state import Cause, TradingState
from litehedge.squeeze.forecast import SEVERITY_LEVELS, ForecastState
from litehedge.stops import keep
from litehedge.truth import closable, is_apart
from litehedge.units import BPS, NS_PER_HOUR, NS_PER_SECOND

STOP_TOLERANCE: Final = 0.001
STOP_EVERY_NS: Final = 2 * NS_PER_SECOND
LOOK_EVERY_NS: Final = NS_PER_SECOND
WILD_EVERY_NS: Final = 5 * NS_PER_SECOND
"""In a wild market the policy decides so often, on the newest price and the last forecast."""

NEVER_NS: Final = 1 << 62
BLIND_EVERY_NS: Final = 60 * NS_PER_SECOND
"""Without prices there are no frames; so often the rule decides on the last price."""

TOP_UP_EVERY_NS: Final = 6 * NS_PER_HOUR
WARM_NS: Final = 15 * 60 * NS_PER_SECOND
"""For so long after a start people are not told that there is no forecast yet."""

LONGEST_RETRY_S: Final = 10.0
OVERHEDGED: Final = 1.01
SMALLEST_ORDERS: Final = 2.0
"""What protects may be worth so many of the venue's smallest orders, whatever depth is shown."""

_SEVERE: Final = int(np.searchsorted(SEVERITY_LEVELS, 0.9))
_NOTHING: Final[list[Effect]] = []


def protect(state: State, now_ns: int) -> list[Effect]:
    """Look at the account between two decisions; return what has to be done at once."""
    guards = state.guards
    alarm = guards.alarm
    if alarm is not None and now_ns - guards.looked_ns < LOOK_EVERY_NS:
        low, high = alarm
        if low < current_mark(guards, now_ns) < high:
            return _NOTHING  # only the price changed since it was reckoned, and nothing is due
    effects = _NOTHING
    is_due = now_ns - guards.looked_ns >= LOOK_EVERY_NS
    if is_due:
        guards.looked_ns = now_ns
        if state.closing is None:
            effects = _look(state, now_ns)
        guards.alarm = None  # the reach has changed
    mark = current_mark(guards, now_ns)
    if state.order is not None or state.needs_reconciling or not mark > 0.0:
        return effects
    health = state.fixed.settings.health
    if is_due:
        effects = effects + _keep_stops(state, now_ns, mark)
    if state.closing is not None or not (health.enabled and state.fixed.policy.guards):
        return effects
    if now_ns < guards.wait_ns or state.trading is TradingState.HALTED:
        return effects
    if state.differs_ns >= 0 and not state.is_differing:
        return effects  # what explains it may be on its way, and our books not be what they were
    if guards.alarm is not None and guards.alarm[0] < mark < guards.alarm[1]:
        return effects  # nothing has changed since it was reckoned but the price
    position, hedge = state.books["qty"][0].tolist()
    covers = abs(position) if position * hedge < 0.0 else 0.0
    excess = abs(hedge) - OVERHEDGED * covers
    is_lot = excess >= rules_of(state, HEDGE).lot_ltc * (1.0 - 1e-6)
    if is_lot and excess * mark > _least(state, covers):
        return effects + _close_excess(state, now_ns, mark, position, hedge)
    if not state.is_open:
        return effects
    if guards.alarm is None:
        guards.alarm = alarm_marks(
            state.books, mark, guards.trigger, guards.pace.reach(health.reaction_s)
        )
    low, high = guards.alarm
    if low < mark < high:
        return effects
    return effects + _relieve(state, now_ns, mark)


# --- margin health ------------------------------------------------------------------------------


def newest_depth_usdt(state: State, now_ns: int, price: float) -> float:
    """Return the depth of the thinner side: of the last book, if it is fresh, else of the frame.

    A frame's depth may be a minute old, and a book is emptied in seconds. Of a silent book the last
    that was seen counts; NaN: there was none. Where mark and book lie
    apart, `price` is what an order is sized at, and the higher of the two is what it may cost.
    """
    guards = state.guards
    if guards.book_ns < 0 or now_ns - guards.book_ns > FRESH_NS:
        depth_usdt = float(state.signals[sg.DEPTH, 0])
        if guards.book_ns < 0 or depth_usdt == depth_usdt:
            return depth_usdt
        return state.last_depth_usdt  # a book that is silent must not allow more than it did
    mark = current_mark(guards, now_ns)
    return state.last_depth_usdt * price / max(price, guards.ask, mark if mark > 0.0 else price)


def _least(state: State, covers: float) -> float:
    """Return the excess of a hedge that is worth an order, in USDT: any, where it covers nothing.

    `covers` is what the hedge has to hold, LTC.
    """
    return rules_of(state, HEDGE).min_notional_usdt if covers > 0.0 else 0.0


def _depth_to_close(state: State, leg: int, now_ns: int, mark: float) -> float:
    """Return the depth that an order which protects is held to, in USDT; NaN where none is known.

    A book that shows nothing must not hold it up: it is deep enough for the smallest orders.
    """
    limits = state.fixed.settings.limits
    least = SMALLEST_ORDERS * rules_of(state, leg).min_notional_usdt / limits.max_depth_share
    depth = newest_depth_usdt(state, now_ns, mark)
    return depth if depth > least or depth != depth else least


def _close_excess(
    state: State, now_ns: int, mark: float, position: float, hedge: float
) -> list[Effect]:
    """Close what a hedge has more than the position: it protects nothing, and can die itself.

    One on the side of the position protects nothing at all: a person adopted what came of that.
    """
    qty, why = abs(hedge), "the hedge stands alone"
    if position * hedge < 0.0:
        qty, why = abs(hedge) - abs(position), "the hedge is larger than the position"
    elif position != 0.0:
        why = "the hedge is on the side of the position"
    return _close(state, HEDGE, qty, now_ns, mark, why)


def _relieve(state: State, now_ns: int, mark: float) -> list[Effect]:
    """Close what brings the margin ratio back to its target."""
    guards, health = state.guards, state.fixed.settings.health
    reach = guards.pace.reach(health.reaction_s)
    lot = state.fixed.settings.venue.lot_ltc
    leg, scope, judged_at, most = endangered(state.books, mark, guards.trigger, reach, lot)
    if leg < 0:
        guards.alarm = None
        return _NOTHING
    held = abs(float(state.books["qty"][0, leg]))
    cost = float(cost_of_hedge(state.terms, state.signals, 0, held))
    cost += taker_fee(state, leg) - float(state.terms["taker_fee"][0])
    cost = cost if isfinite(cost) else health.collar_bps * BPS
    tiers = guards.target[scope]
    qty = float(relief(state.books, scope, leg, mark, judged_at, cost, tiers, most))
    if qty <= 0.0:
        return _NOTHING
    ratio = float(margin_ratio_apart(state.books, mark, *tiers_by_venue(state)))
    why = f"margin ratio {ratio:.0%}, and a move of {reach:.1%} is possible before an order is done"
    return _close(state, leg, qty, now_ns, mark, why)


def _close(state: State, leg: int, qty: float, now_ns: int, mark: float, why: str) -> list[Effect]:
    """Send a reduce-only order, as far as the guards allow; qty is unsigned, in LTC."""
    fixed, guards, health = state.fixed, state.guards, state.fixed.settings.health
    if is_stopped(state, leg):
        return _NOTHING
    held = closable(state)[leg]
    rules = rules_of(state, leg)
    lot = rules.lot_ltc
    qty = min(abs(held), np.ceil(qty / lot * (1.0 - 1e-9)) * lot)
    guards.wait_ns = now_ns + round(health.retry_s * NS_PER_SECOND)
    if abs(held) < lot * (1.0 - 1e-6):
        return _NOTHING  # the venue does not hold what our books do: a person was told
    refill(state.budgets, state.limits, now_ns)
    state.budgets["state"][0] = state.trading
    position, hedge = sizes(state.terms, state.books)
    whole = max(position, hedge, qty)
    touch = guards.ask if held < 0.0 else guards.bid
    price = touch if now_ns - guards.book_ns <= FRESH_NS else mark
    size = float(
        allowances(
            qty, whole, 0.0, mark, 0.0, _depth_to_close(state, leg, now_ns, mark), 0.0, np.inf,
            0.0, True, state.budgets, state.limits, fixed.tiers.rows, lot, 0.0, state.allowed,
        )
    )  # fmt: skip
    name = "hedge" if leg == HEDGE else "position"
    if size <= 0.0:
        text = f"{why}; the limits allow no order now, the next try is in {health.retry_s:g} s"
        return [Alert("act_now", text, "limits hold protection")]
    signed = float(np.copysign(size, -held))
    order = new_order(
        fixed.session,
        state.orders_made,
        leg,
        signed,
        float(worst_price(rules.tick_usdt, health.collar_bps * BPS, price, signed)),
        lot=Decimal(repr(lot)),
        tick=Decimal(repr(rules.tick_usdt)),
        reduce_only=True,
        decided_ns=now_ns,
        protects=True,
    )
    state.order = order
    state.orders_made += 1
    spend_order(state.budgets, size / whole)
    rows = tiers_by_venue(state)
    before = preview(state.books, leg, 0.0, price, 0.0, rows)
    after = preview(state.books, leg, signed, price, taker_fee(state, leg), rows)
    text = (
        f"{why}: closing {size:.3f} of {abs(held):.3f} LTC of the {name}; margin ratio "
        f"{before.margin_ratio:.0%} -> {after.margin_ratio:.0%}, liquidation {before.distance:.1%} "
        f"-> {after.distance:.1%} away"
    )
    return [
        Submit(order),
        Protection(now_ns, why, leg, signed, price, before, after, order.client_id),
        Alert("act_now", text, "margin health"),
    ]


def _keep_stops(state: State, now_ns: int, mark: float) -> list[Effect]:
    """Ask the venue to keep the stops that should stand now, where they are others."""
    guards = state.guards
    if now_ns - guards.stops_ns < STOP_EVERY_NS:
        return _NOTHING
    guards.stops_ns = now_ns
    if not state.fixed.policy.guards:
        return _NOTHING
    if not state.fixed.settings.health.enabled:
        return _no_stops(state)
    rules = [rules_of(state, leg) for leg in (POSITION, HEDGE)]
    basis = None if is_apart(state) else _basis(state, mark, rules)
    if basis is not None and basis == guards.stops_of:
        return _NOTHING
    steps = [(Decimal(repr(rule.lot_ltc)), Decimal(repr(rule.tick_usdt))) for rule in rules]
    wanted = wanted_stops(state.books, mark, guards.stop, steps)
    effects: list[Effect] = []
    for stop in wanted:
        stop = _within_truth(state, stop)
        ours = state.stops.get(stop.leg)
        asked = ours.wanted if ours is not None else None
        if asked is None or stop.differs(asked.qty_ltc, asked.trigger_usdt, STOP_TOLERANCE):
            effects += keep(state, KeepStop(stop.leg, stop.qty_ltc, stop.trigger_usdt))
    guards.stops_of = None if basis is None else _basis(state, mark, rules)
    return effects


def _basis(state: State, mark: float, rules: list[VenueRules]) -> tuple[object, ...]:
    """Return all that stops are reckoned from: while it is the same, so are they."""
    return (
        state.books["qty"][0].tolist(),
        stop_levels(state.books, mark, state.guards.stop),
        [(rule.lot_ltc, rule.tick_usdt) for rule in rules],
        [(leg, stop.wanted, stop.armed_ltc, stop.is_known) for leg, stop in state.stops.items()],
    )


def _no_stops(state: State) -> list[Effect]:
    """Take away what an earlier run may have left at the venue, where no stops are kept."""
    nothing = Decimal(0)
    left = [leg for leg, stop in state.stops.items() if not stop.is_known]
    return [e for leg in left for e in keep(state, KeepStop(leg, nothing, nothing))]


def _within_truth(state: State, stop: StopLevel) -> StopLevel:
    """Cut a stop to what the venue holds, once a person was told that it is not what our books do.

    In hedge mode a venue refuses to close more than there is, and would then close nothing.
    """
    if not is_apart(state) or (state.differs_ns >= 0 and not state.is_differing):
        return stop
    lot = rules_of(state, stop.leg).lot_ltc
    most = Decimal(repr(float(whole_lots(abs(closable(state)[stop.leg]), lot))))
    return stop if stop.qty_ltc <= most else structs.replace(stop, qty_ltc=most)


def missing_margin(state: State, now_ns: int, price: float) -> list[Effect]:
    """Tell early how much margin a forecast squeeze would ask for."""
    guards, health = state.guards, state.fixed.settings.health
    if not guards.is_watching or now_ns - guards.topped_ns < TOP_UP_EVERY_NS:
        return _NOTHING
    risky = 0 if float(state.terms["side"][0]) > 0.0 else 1
    onset = float(state.signals[sg.ONSET + 3 * risky + 1, 0])
    if not onset >= health.warn_probability:
        return _NOTHING
    severity = float(state.signals[sg.SEVERITY + risky * len(SEVERITY_LEVELS) + _SEVERE, 0])
    account = state.books[0]
    held = float(account["qty"][POSITION])
    is_isolated = bool(account["is_isolated"][POSITION])
    shares = not is_isolated and account["wallet_of"][HEDGE] == account["wallet_of"][POSITION]
    hedge = float(account["qty"][HEDGE]) if shares else 0.0  # what it earns elsewhere is not here
    notional = abs(held + hedge) * price
    if notional <= 0.0:
        return _NOTHING
    wallet = float(account["wallet"][account["wallet_of"][POSITION]])
    if is_isolated:
        wallet = float(account["isolated"][POSITION])
    worth = wallet + held * (price - float(account["entry"][POSITION]))
    worth += hedge * (price - float(account["entry"][HEDGE]))
    rate = maintenance(abs(held) * price, state.fixed.tiers.rows) / notional
    amount = top_up_usdt(worth, notional, rate, severity)
    if amount < 1.0:
        return _NOTHING
    guards.topped_ns = now_ns
    text = (
        f"a squeeze within the hour has probability {onset:.0%}, and in one of ten it moves "
        f"{severity:.1%} or more: {amount:,.0f} USDT of margin are missing for that. Add them, or "
        "hold less; the hedge goes on as it can"
    )
    return [Alert("act_now", text, "margin")]


# --- the parachute ------------------------------------------------------------------------------


def _look(state: State, now_ns: int) -> list[Effect]:
    """Judge every watch, and do what an opened one asks for."""
    guards, limits = state.guards, state.fixed.settings.parachute
    if not limits.enabled:
        return _NOTHING
    has_forecast = float(state.signals[sg.STATE, 0]) < ForecastState.COLD  # NaN: no
    changes = guards.chute.look(
        now_ns,
        has_forecast=has_forecast,
        pace_bps=1e4 * sqrt(60.0 * guards.pace.variance),
    )
    effects = told(state, changes, now_ns)
    if guards.is_warming:
        effects = effects + _warmed_up(state, now_ns, has_forecast=has_forecast)
    if 0 <= guards.retry_ns <= now_ns:
        guards.retry_ns = -1
        state.decide_soon = True
    if not guards.chute.open:
        return effects
    every_ns = BLIND_EVERY_NS if Watch.PRICE_SILENT in guards.chute.open else NEVER_NS
    if Watch.MARKET_WILD in guards.chute.open:
        every_ns = WILD_EVERY_NS
    if state.is_open and now_ns - guards.decided_ns >= every_ns:
        guards.decided_ns = now_ns
        state.decide_soon = True
    return effects


def _warmed_up(state: State, now_ns: int, *, has_forecast: bool) -> list[Effect]:
    """After a start: a forecast that is not there yet is told once it is late, not at once.

    Until it is there the rule that needs none decides all the same.
    """
    guards = state.guards
    if guards.warm_by_ns < 0:
        guards.warm_by_ns = now_ns + WARM_NS
    told_state = float(state.signals[sg.STATE, 0])
    guards.is_warming = not has_forecast and now_ns < guards.warm_by_ns
    guards.is_warming &= not told_state > ForecastState.COLD  # an expired model does not warm up
    if guards.is_warming or has_forecast or Watch.FORECAST_MISSING not in guards.chute.open:
        return _NOTHING
    rule = WATCHES[Watch.FORECAST_MISSING]
    level: AlertLevel = "act_now" if state.is_open else "digest"
    text = f"{rule.meaning} (no forecast): {DONE[rule.fallback]}"
    return [Alert(level, text, Watch.FORECAST_MISSING)]


def told(state: State, changes: list[Change], now_ns: int) -> list[Effect]:
    """Journal what opened or closed, tell people, and act upon it."""
    effects: list[Effect] = []
    for change in changes:
        rule = WATCHES[change.watch]
        effects.append(Watched(now_ns, change.watch, change.is_open, change.detail))
        if rule.fallback is Fallback.HALT and change.is_open:
            effects += transition(state, Cause.CLOCK_SKEW, now_ns)
        if change.watch is Watch.FORECAST_MISSING and state.guards.is_warming:
            state.decide_soon |= change.is_open
            continue
        loud = rule.fallback >= Fallback.NO_LIFTING and state.is_open
        if change.is_open:
            state.decide_soon |= rule.fallback in (Fallback.SAFE_HEDGE, Fallback.REDUCE)
            text = f"{rule.meaning} ({change.detail}): {DONE[rule.fallback]}"
            effects.append(Alert("act_now" if loud else "digest", text, change.watch))
        else:
            text = f"over: {rule.meaning}"
            effects.append(Alert("done" if loud else "digest", text, change.watch, clears=True))
    return effects


def note_outcome(state: State, order: Order, event: OrderEvent) -> list[Effect]:
    """Remember how an order fared, and when it may be tried again.

    `order` is as it stands after the event.
    """
    guards = state.guards
    if not guards.is_watching:
        return _NOTHING
    now_ns, chute = event.known_ns, guards.chute
    if isinstance(event, ev.OrderFilled):
        guards.failures = 0
        if order.is_open:
            return _NOTHING
        slip = event.slippage_usdt / max(abs(event.qty_ltc) * event.price, 1e-9)
        taken_s = (now_ns - order.decided_ns) / NS_PER_SECOND
        return told(state, chute.on_fill(now_ns, taken_s, slip / BPS), now_ns)
    if isinstance(event, ev.OrderRejected) and order.leg == HEDGE and not order.reduce_only:
        chute.on_refusal(now_ns)
    elif isinstance(event, ev.OrderUnknown):
        chute.on_unsure(now_ns)
    if not order.is_open and order.filled_ltc == 0:
        wait_s = state.fixed.settings.health.retry_s * 2.0 ** min(guards.failures, 10)
        guards.failures += 1
        guards.retry_ns = now_ns + round(min(wait_s, LONGEST_RETRY_S) * NS_PER_SECOND)
    return _NOTHING


DONE: Final = {
    Fallback.WIDE_COLLAR: "orders that protect may trade further from the price",
    Fallback.NO_LIFTING: "the hedge is not made smaller until that is over",
    Fallback.SAFE_HEDGE: "the rule that needs no forecast decides too, and nothing is lifted",
    Fallback.REDUCE: "the position is reduced where a hedge would be placed",
    Fallback.HALT: "trading halts",
}


def fallback(state: State) -> Fallback:
    """Return what is done instead of following the policy alone."""
    if not (state.guards.is_watching and state.fixed.policy.guards):
        return Fallback.NONE
    return state.guards.chute.fallback
