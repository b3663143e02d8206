"""The system on one page: ``step(state, event) -> (state, effects)``.

An event folds into frames; a frame becomes features, a forecast, signals; the policy turns them
into a band, the guards cut it, and what is left becomes an order. The engine does nothing itself:
what it wants done goes out as effects.

`step` takes over the state that it is given (the caller must go on with the returned one): its
large numeric parts are changed in place. The same state and event give the same effects, bit for
bit; there is no clock, chance, file or network here.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.closing import close_on
from litehedge.contract import STOPPED_NS, hedging_stopped, is_stopped
from litehedge.decision import (
    backing,
    cost_of_hedge,
    decision,
    is_cut,
    money_left,
    order_quantity,
    said_by_guards,
    sizes,
    transfer_due,
    worst_price,
)
from litehedge.effects import Alert, Decision, Effect, PlanFired, StateChange, Submit, Transfer
from litehedge.engine_state import (
    State,
    distance_now,
    rules_of,
    take_checkpoint,
    transition,
)
from litehedge.hedge import signals as sg
from litehedge.hedge.band import Situation, has_forecast, recommend
from litehedge.hedge.exposure import REDUCE, SAME_ACCOUNT
from litehedge.hedge.leverage import LeverageAdvice, advise
from litehedge.hedge.plugin import SAFE_VOL_ON
from litehedge.hedge.rule_kernel import new_memory
from litehedge.hedge.rules import binding, reason_of
from litehedge.lessons import on_lesson_offered
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.margin.tiers import maintenance
from litehedge.market import events as ev
from litehedge.market import schema as sc
from litehedge.orders.manager import Order, new_order
from litehedge.orders.transfers import new_transfer
from litehedge.plans import look_at_plans
from litehedge.protecting import fallback, missing_margin, newest_depth_usdt, protect
from litehedge.reactions import (
    REACTIONS,
    check_age,
    check_clock,
    check_order,
    check_transfer,
)
from litehedge.risk.guards import FRESH_NS, observe
from litehedge.risk.limits import PARACHUTE_GUARD, Code, spend_order, spend_transfer, whole_lots
from litehedge.risk.parachute import WATCHES, Fallback, Watch
from litehedge.risk.sliding import note_left
from litehedge.risk.state import Cause
from litehedge.risk.verdicts import Verdict
from litehedge.squeeze.forecast import ForecastState, outlook_of
from litehedge.squeeze.history import Mind
from litehedge.succession import hear, on_model_offered
from litehedge.truth import is_apart, settle, within_truth
from litehedge.units import BPS, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND

Floats = NDArray[np.float64]

_MARKET: Final = frozenset(get_args(ev.MarketEvent))
TELL_REFUSAL_NS: Final = NS_PER_HOUR
AGAIN_NS: Final = 10 * NS_PER_SECOND
"""How often a hedge that a person set is tried again between frames, while it is not there."""
_WATCHED: Final = frozenset((ev.Book, ev.Trade, ev.Mark, ev.Index, ev.Bar))
_BETWEEN: Final = frozenset((ev.Book, ev.Trade, ev.Mark, ev.Tick))
_PRICED: Final = frozenset((ev.Bar, ev.Trade, ev.Book))
_REDUCING_GUARD: Final = list(Code).index(Code.TRADING_REDUCING)
_NOTHING: Final[list[Effect]] = []

_MILESTONES: Final = (Decision, PlanFired, StateChange, Submit, Transfer)
_BEGINNINGS: Final = (ev.Opened, ev.Adopt, ev.Ignore)


def step(state: State, event: ev.AnyEvent, mind: Mind | None = None) -> tuple[State, list[Effect]]:
    """Take in one event; return the state after it and what is to be done.

    `mind` is the model that a `ModelOffered` speaks of: loaded, and fed what that event says.
    """
    was_closing = state.closing is not None
    state, effects = _step(state, event, mind)
    if state.fixed.keeps_checkpoints and (
        isinstance(event, _BEGINNINGS)
        or was_closing != (state.closing is not None)
        or any(isinstance(e, _MILESTONES) for e in effects)
    ):
        effects = [*effects, take_checkpoint(state, event.known_ns)]
    return state, effects


def relive(state: State, events: Iterable[ev.AnyEvent]) -> State:
    """Take in what came after a checkpoint: of the account and of people.

    What the market told has gone by. Effects are dropped: an order without an end is asked about.
    """
    for event in events:
        if type(event) not in _MARKET:
            state, _ = _step(state, event)
    return state


def _step(state: State, event: ev.AnyEvent, mind: Mind | None = None) -> tuple[State, list[Effect]]:
    kind = type(event)
    orders = state.orders_made
    if kind in _MARKET:
        effects = check_clock(state, event) if event.event_ns > event.known_ns else _NOTHING
        frames = state.fold.push(event)  # type: ignore[arg-type]
        if kind in _PRICED and not (kind is ev.Bar and event.asset == "BTC"):  # type: ignore[union-attr]
            state.price_ns = event.known_ns
            _note_price(state, event)
        if kind in _WATCHED and state.fixed.looks_between:
            observe(state.guards, event)
        if frames:
            for end_ns, frame in frames:
                effects = effects + _on_frame(state, end_ns, frame)
        if kind is ev.Tick:
            effects = effects + check_age(state, event.known_ns)
            effects = effects + check_order(state, event.known_ns)
            effects = effects + check_transfer(state, event.known_ns)
            effects = effects + settle(state, event.known_ns)
            _look_again(state, event.known_ns)
        if kind in _BETWEEN and state.guards.is_watching:
            said = protect(state, event.known_ns)
            if said:
                effects = effects + said
        if state.plan_terms is not None and (kind is ev.Tick or kind in _PRICED):
            effects = effects + look_at_plans(state, event.known_ns)
    elif kind is ev.FeedHealth:  # for people: not even time passes by it
        return state, _NOTHING
    elif kind is ev.LessonOffered:
        return state, on_lesson_offered(state, event)  # type: ignore[arg-type]
    elif kind is ev.ModelOffered:
        return state, on_model_offered(state, event, mind)  # type: ignore[arg-type]
    else:
        effects = REACTIONS[kind](state, event)
        state.guards.alarm = None  # the account may be another one
    if state.closing is not None:
        effects = effects + close_on(state, event.known_ns)
    elif state.decide_soon:
        effects = effects + _decide_soon(state, event.known_ns)
    if state.orders_made != orders:
        note_left(state.budgets, event.known_ns)  # a frame is decided later than it ended
    return state, effects


def _note_price(state: State, event: ev.AnyEvent) -> None:
    """Remember the price that was told last, and the depth, for what is done between frames."""
    if type(event) is ev.Book:
        price = 0.5 * (event.bid + event.ask)
        bids, asks = event.bid_depth_usdt, event.ask_depth_usdt
        state.last_depth_usdt = asks if asks < bids else bids
    elif type(event) is ev.Trade:
        price = event.price
    else:
        price = event.close  # type: ignore[union-attr]
    if 0.0 < price < np.inf:
        state.last_price = price


def _look_again(state: State, now_ns: int) -> None:
    """Between frames: go on with a hedge that a person set and that is not there yet."""
    held = state.override
    if not isinstance(held, ev.SetHedge) or state.order is not None:
        return
    if now_ns - state.again_ns < AGAIN_NS:
        return
    state.again_ns = now_ns
    position, hedge = sizes(state.terms, state.books)
    wanted = min(max(held.ratio, 0.0), float(state.terms["max_ratio"][0])) * position
    if now_ns < held.until_ns and abs(wanted - hedge) >= rules_of(state, HEDGE).lot_ltc:
        state.decide_soon = True


def _decide_soon(state: State, now_ns: int) -> list[Effect]:
    """Decide between two frames, on the last signals and the newest price."""
    guards = state.guards
    price = guards.middle if now_ns - guards.book_ns <= FRESH_NS else state.last_price
    if state.order is not None:
        return _NOTHING
    state.decide_soon = False
    if state.needs_reconciling:
        return _NOTHING  # of what was asked for before that, the next look reminds
    began = state.price == state.price  # not NaN: there was a frame, and so there are signals
    is_asked = guards.is_watching or state.override is not None
    if not (is_asked and state.is_open and began and price > 0.0):
        return _NOTHING
    return _decide(state, now_ns, price)


def _on_frame(state: State, end_ns: int, frame: Floats) -> list[Effect]:
    """Frame -> features -> forecast -> signals -> decision -> order."""
    fixed = state.fixed
    features = state.features.advance(end_ns, frame)
    price = float(frame[sc.CLOSE])
    if price != price:  # NaN: the frame was silent and the segment has ended
        return _NOTHING
    state.price = price
    phase = (end_ns // fixed.atom_ns) % fixed.per_frame
    row, effects = hear(state, phase, end_ns, features)
    sg.write_signals(row, features, state.cif, state.signals, 0)
    state.row = row
    if state.moves_money:
        effects = effects + (check_transfer(state, end_ns) or _move_money(state, end_ns, price))
    if state.order is not None:
        return effects + check_order(state, end_ns)
    if state.needs_reconciling:
        return effects
    effects = effects + settle(state, end_ns)
    if not state.is_open:
        return effects
    state.decide_soon = False
    return effects + missing_margin(state, end_ns, price) + _decide(state, end_ns, price)


def _move_money(state: State, now_ns: int, price: float) -> list[Effect]:
    """Send margin from one venue to the other where it is needed.

    Our books let it go at once: what may be gone is not counted upon.
    """
    if not state.is_open or state.transfer is not None or now_ns < state.transfer_wait_ns:
        return _NOTHING
    if state.needs_reconciling or state.differs_ns >= 0:
        return _NOTHING
    state.budgets["state"][0] = state.trading
    target, amount = transfer_due(state.terms, state.books, price, now_ns, state.budgets)
    if amount == 0.0:
        return _NOTHING
    money_left(state.terms, state.books, target, amount)
    spend_transfer(state.budgets, amount)
    moved = new_transfer(
        state.fixed.session, state.transfers_made, int(target), float(amount), now_ns
    )
    state.transfer = moved
    state.transfers_made += 1
    place = "position" if target == POSITION else "hedge"
    minutes = state.fixed.settings.transfer.delay_min
    text = f"sending {amount:.2f} USDT to the {place}'s venue: about {minutes:g} min on its way"
    return [Transfer(moved), Alert("done", text)]


def _decide(state: State, now_ns: int, price: float) -> list[Effect]:
    fixed = state.fixed
    override = _override(state, now_ns)
    state.budgets["state"][0] = state.trading
    age_s = (now_ns - state.price_ns) / 1e9
    depth_usdt = newest_depth_usdt(state, now_ns, price)
    lo, hi, wanted, change = decision(
        state.terms, state.memory, state.signals, 0, now_ns, price, depth_usdt, age_s, override,
        state.books, state.budgets, state.limits, state.allowed,
    )  # fmt: skip
    effects: list[Effect] = []
    if state.budgets["state"][0] > state.trading:
        effects += transition(state, Cause.EQUITY_STOP, now_ns)
    fall = fallback(state) if np.isnan(override) else Fallback.NONE
    of_policy = change
    if fall >= Fallback.SAFE_HEDGE:
        lo, hi, wanted, change = _or_safer(state, now_ns, price, depth_usdt, lo, hi, wanted, change)
    is_of_rule = change > max(of_policy, 0.0)
    if fall >= Fallback.NO_LIFTING and change < 0.0:
        change = 0.0
        state.allowed[PARACHUTE_GUARD] = 0.0
    if change != 0.0 and is_apart(state):
        change = within_truth(state, change)
        state.allowed[_REDUCING_GUARD] = abs(change)
    if hedging_stopped(state) and fixed.settings.hedge.fall_back_to_reduce:
        state.hedge_wait_ns = now_ns + STOPPED_NS
    # In a wild market a new hedge is what the venue refuses first, and deleverages first.
    same = state.terms["location"][0] == SAME_ACCOUNT
    wild = same and np.isnan(override) and Watch.MARKET_WILD in state.guards.chute.open
    refuses = now_ns < state.hedge_wait_ns or (
        fixed.settings.hedge.fall_back_to_reduce
        and state.terms["location"][0] != REDUCE
        and (wild or fall >= Fallback.REDUCE)
    )
    falls_back = change > 0.0 and refuses
    if falls_back:
        wanted = change = _instead(state, change, lo)
    elif lo <= 0.0:
        state.closed_ltc = 0.0  # the danger is over: the next one begins with what is left
    if change != 0.0 and _goes_nowhere(state, change, falls_back):
        change = 0.0
    cut = is_cut(wanted, change, float(state.terms["lot"][0]))
    state.refusals += cut
    # What changes nothing is told now and then; so is a refusal that goes on.
    due = state.held_ns < 0 or now_ns - state.held_ns >= fixed.held_every_ns
    due |= cut and (state.refusal_ns < 0 or now_ns - state.refusal_ns >= TELL_REFUSAL_NS)
    if change == 0.0 and not due:
        return effects
    state.held_ns = now_ns
    state.refusal_ns = now_ns if cut else state.refusal_ns
    situation = _situation(state, price)
    advice = recommend(fixed.policy, lo, hi, wanted, state.signals, situation)
    if fixed.policy.rules is not None and np.isnan(override):
        ruling = binding(fixed.policy.rules, state.memory, now_ns, lo, hi)
        advice = msgspec.structs.replace(advice, reason=reason_of(ruling, advice.reason))
    if is_of_rule:
        advice = msgspec.structs.replace(advice, reason=_of_rule(state, situation))
    verdicts = _verdicts(state, wanted, price, depth_usdt, age_s) if cut else []
    order_id = ""
    if change != 0.0:
        order = _order(state, change, price, now_ns, falls_back=falls_back)
        state.order = order
        state.orders_made += 1
        spend_order(state.budgets, abs(change) / situation.position_ltc)
        effects.append(Submit(order))
        order_id = order.client_id
        if falls_back:
            effects.append(_told_fallback(state, change, now_ns))
    effects.append(
        Decision(
            time_ns=now_ns,
            price=price,
            trading_state=state.trading.name,
            recommendation=advice,
            verdicts=verdicts,
            order_id=order_id,
            equity_usdt=situation.equity_usdt,
            distance=situation.distance,
            advice=_advice(state, situation),
            onset=[float(p) for p in state.signals[sg.ONSET : sg.SEVERITY, 0]],
            forecast_state=int(state.signals[sg.STATE, 0]),
            outlook=outlook_of(state.row) if has_forecast(state.signals) else None,
        )
    )
    return effects


def _or_safer(
    state: State, now_ns: int, price: float, depth_usdt: float, lo: float, hi: float,
    wanted: float, change: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return what the rule that needs no forecast decides, where that hedges more."""
    signals = state.signals.copy()
    signals[sg.STATE, 0] = ForecastState.COLD
    if Watch.PRICE_SILENT in state.guards.chute.open and not signals[sg.VOL_RULE, 0] > SAFE_VOL_ON:
        signals[sg.VOL_RULE, 0] = np.nan  # what was calm when the prices ended tells nothing
    for name in ("size", "floor", "location", "tiers"):
        state.safe[name] = state.terms[name]
    allowed = np.empty_like(state.allowed)
    safer = decision(
        state.safe, new_memory(), signals, 0, now_ns, price, depth_usdt, 0.0, float("nan"),
        state.books, state.budgets, state.limits, allowed,
    )  # fmt: skip
    if safer[3] <= max(change, 0.0):
        return lo, hi, wanted, change
    state.allowed[:] = allowed
    return safer


def _of_rule(state: State, situation: Situation) -> str:
    """Say why the rule that needs no forecast decided, and not the policy."""
    opened = [w for w in state.guards.chute.open if WATCHES[w].fallback >= Fallback.SAFE_HEDGE]
    why = "; ".join(WATCHES[watch].meaning for watch in opened)
    away = f"liquidation {situation.distance:.1%} away"
    return f"{why}: the rule that needs no forecast hedges more than the policy; {away}"


def _verdicts(
    state: State, wanted: float, price: float, depth_usdt: float, age_s: float
) -> list[Verdict]:
    return said_by_guards(
        state.terms, state.books, wanted, price, depth_usdt, age_s, state.budgets, state.limits,
        state.allowed,
    )  # fmt: skip


def _instead(state: State, change: float, lo: float) -> float:
    """Return by how much the position is reduced where the venue refuses to raise the hedge, LTC.

    What was closed already counts as hedge: a ratio that is held must not close the position bit
    by bit.
    """
    held, hedge = sizes(state.terms, state.books)
    closed = state.closed_ltc
    needed = lo * (held + closed) - closed - hedge
    lot = state.fixed.settings.venue.lot_ltc
    return float(whole_lots(max(0.0, min(change, needed, held)), lot))


def _goes_nowhere(state: State, change: float, falls_back: bool) -> bool:
    """Tell whether the venue where this change would be made does not trade."""
    leg, _ = order_quantity(state.terms, change)
    return is_stopped(state, POSITION if falls_back else int(leg))


def _told_fallback(state: State, change: float, now_ns: int) -> Alert:
    minutes = (state.hedge_wait_ns - now_ns) / NS_PER_MINUTE
    why, then = "a new hedge would not last in this market", "when it is calmer"
    if minutes > 0.0:
        why, then = "the venue refuses new hedges", f"in {max(1.0, minutes):.0f} min"
    text = (
        f"{why}: the position is reduced by {change:.3f} LTC instead; that does not come back by "
        f"itself. Hedging is tried again {then}"
    )
    return Alert("act_now", text, "hedges refused")


def _order(
    state: State, change: float, price: float, now_ns: int, *, falls_back: bool = False
) -> Order:
    fixed = state.fixed
    leg, qty = order_quantity(state.terms, change)
    if falls_back and leg == HEDGE:
        leg = POSITION  # sold or bought of the position, it lowers the net exposure as much
    rules = rules_of(state, int(leg))
    return new_order(
        fixed.session,
        state.orders_made,
        int(leg),
        float(qty),
        _limit(state, rules.tick_usdt, change, price, qty),
        lot=Decimal(repr(rules.lot_ltc)),
        tick=Decimal(repr(rules.tick_usdt)),
        reduce_only=bool(change < 0.0) != bool(leg == POSITION),
        decided_ns=now_ns,
    )


def _limit(state: State, tick: float, change: float, price: float, qty: float) -> float:
    """Return the worst price of an order; in a wild market what protects may go further."""
    if change > 0.0 and Watch.MARKET_WILD in state.guards.chute.open:
        settings = state.fixed.settings
        collar = max(settings.limits.collar_bps, settings.health.collar_bps) * BPS
        return float(worst_price(tick, collar, price, qty))
    return float(worst_price(tick, float(state.terms["collar"][0]), price, qty))


def _situation(state: State, price: float) -> Situation:
    position, hedge = sizes(state.terms, state.books)
    worth = equity(state.books, price)
    side = float(state.terms["side"][0])
    notional = position * price
    behind = backing(state.terms, state.books, state.signals, 0, price)
    return Situation(
        side=side,
        ratio=hedge / position,
        price=price,
        position_ltc=position,
        equity_usdt=worth,
        equity_share=behind / notional,
        floor_share=float(state.terms["floor"][0] + state.terms["aid"][0]) / notional,
        maintenance_rate=maintenance(notional, state.fixed.tiers.rows) / notional,
        distance=distance_now(state, price),
        cost=cost_of_hedge(state.terms, state.signals, 0, position),
        coupling=int(state.terms["coupling"][0]),
    )  # fmt: skip


def _advice(state: State, situation: Situation) -> LeverageAdvice:
    wanted = state.fixed.settings.advice
    share = max(situation.equity_share, 1e-9)
    return advise(
        state.signals,
        state.fixed.tiers,
        situation.side,
        share * situation.position_ltc * situation.price,
        1.0 / share,
        horizon_days=wanted.horizon_days,
        tolerance=wanted.tolerance,
    )


def _override(state: State, now_ns: int) -> float:
    """Return the ratio that a person holds, NaN when the policy decides."""
    held = state.override
    if held is None:
        return float("nan")
    if now_ns >= held.until_ns:
        state.override = None
        return float("nan")
    if isinstance(held, ev.SetHedge):
        return held.ratio
    position, hedge = sizes(state.terms, state.books)
    return float(hedge / position)
