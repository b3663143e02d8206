"""What the engine does when a protective stop is armed, fails, or trades.

The stop stands at the venue and fires without us: what it closed is booked like a fill of its leg,
and does not come back by itself. Which stop is wanted is decided elsewhere; `keep` asks for it.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

from litehedge.decision import note_forced_closing, sizes
from litehedge.effects import Alert, Effect, KeepStop
from litehedge.engine_state import State, Stop
from litehedge.margin.account import HEDGE, POSITION, apply_fill
from litehedge.market import events as ev
from litehedge.risk.governor import spend_cost
from litehedge.truth import is_known, note_booked, settle
from litehedge.units import NS_PER_MINUTE

TELL_FAILURE_NS: Final = 5 * NS_PER_MINUTE
"""A stop that still does not stand is told again after this time."""

_NAMES: Final = {POSITION: "position", HEDGE: "hedge"}
_NOTHING: Final[list[Effect]] = []


def keep(state: State, stop: KeepStop) -> list[Effect]:
    """Want a stop; nothing is to be done where the same one is wanted already."""
    ours = state.stops.setdefault(stop.leg, Stop())
    before = ours.wanted
    is_none = before is None and stop.qty_ltc == 0 and ours.armed_ltc == 0.0 and ours.is_known
    if before == stop or is_none:
        return _NOTHING
    ours.wanted, ours.is_known = stop, True
    return [stop]


def on_stop_armed(state: State, event: ev.StopArmed) -> list[Effect]:
    """Remember what the venue holds; tell people when a stop stands that had failed."""
    if event.leg not in _NAMES:
        return _NOTHING
    ours = state.stops.setdefault(event.leg, Stop())
    ours.armed_ltc = event.qty_ltc
    ours.armed_usdt = event.trigger if event.qty_ltc > 0.0 else 0.0
    was_failing, ours.failed_ns = ours.failed_ns >= 0, -1
    if not was_failing or event.qty_ltc == 0.0:
        return _NOTHING
    text = (
        f"the protective stop of the {_NAMES[event.leg]} stands: {event.qty_ltc:.3f} LTC at a mark "
        f"of {event.trigger:.2f} USDT"
    )
    return [Alert("done", text)]


def on_stop_failed(state: State, event: ev.StopFailed) -> list[Effect]:
    """Tell people that a stop does not stand: at the first, and then now and again."""
    if event.leg not in _NAMES:
        return _NOTHING
    ours = state.stops.setdefault(event.leg, Stop())
    # What the venue held before may be there or not: nobody counts upon it.
    ours.armed_ltc = ours.armed_usdt = 0.0
    if ours.failed_ns >= 0 and event.known_ns - ours.failed_ns < TELL_FAILURE_NS:
        return _NOTHING
    ours.failed_ns = event.known_ns
    text = (
        f"the venue holds no protective stop for the {_NAMES[event.leg]}: {event.reason}; while "
        "this machine is off nothing protects it"
    )
    return [Alert("act_now", text)]


def on_stop_filled(state: State, event: ev.StopFilled) -> list[Effect]:
    """Book what a stop closed, and say what is left."""
    if event.leg not in _NAMES:
        return [Alert("act_now", f"the venue speaks of a stop on leg {event.leg}: there is none")]
    name = _NAMES[event.leg]
    account = state.books[0]
    held = float(account["qty"][event.leg])
    text = f"the protective stop closed {abs(event.qty_ltc):.3f} LTC of the {name}"
    possible = event.qty_ltc * held < 0.0 and event.price > 0.0 and isfinite(event.price)
    if is_known(state, event.leg, event.event_ns):
        return [Alert("act_now", text + f" at {event.price:.2f} USDT: our books have it")]
    if not possible:
        return [Alert("act_now", text + f", of which our books have {abs(held):.3f}")]
    # A stop goes with its trigger, whatever it found to trade; what is left needs a new one.
    state.stops[event.leg] = Stop()
    _, hedge = sizes(state.terms, state.books)
    closed = min(abs(event.qty_ltc), abs(held)) * (-1.0 if held > 0.0 else 1.0)
    apply_fill(state.books, event.leg, closed, event.price, event.fee_usdt, 0.0)
    spend_cost(state.budgets, event.fee_usdt)
    note_booked(state, event.leg, event.event_ns)
    if event.leg == POSITION:
        note_forced_closing(state.terms, state.books, hedge)
    position, hedge = account["qty"].tolist()
    if position == 0.0:
        state.is_open = False
    left = position if event.leg == POSITION else hedge
    text += f" at {event.price:.2f} USDT: {abs(left):.3f} LTC are left"
    if position == 0.0 and hedge != 0.0:
        text += f"; the hedge of {abs(hedge):.3f} LTC stands alone"
    return [Alert("act_now", text), *settle(state, event.known_ns)]
