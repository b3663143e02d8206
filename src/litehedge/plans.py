"""Plans: what was decided in calm is carried out when its conditions come true.

Conditions are those of the rules. They are looked at on every price and at every second, with the
price, margin and time of that moment; what the model says, and what is measured over minutes, is
that of the last frame. A plan does what the person's command does that it stands for, and a later
command of the person outranks it. It acts once, and again only after its conditions did not hold
for a while.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from litehedge.decision import backing, sizes
from litehedge.effects import Alert, Effect, PlanFired
from litehedge.engine_state import State
from litehedge.hedge.plan_kernel import plans_hold
from litehedge.hedge.rules import HOLDING, Plan, Then
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.reactions import REACTIONS
from litehedge.risk.limits import share_left
from litehedge.risk.state import TradingState
from litehedge.units import NS_PER_MINUTE, NS_PER_MS

LOOK_NS: Final = 100 * NS_PER_MS
"""Between two looks at the conditions lies at least this."""

REARM_NS: Final = 10 * NS_PER_MINUTE
"""A plan that fired fires again only after its conditions did not hold for so long."""

_LAST: Final[tuple[Then, ...]] = ("alert", "freeze", "hedge_fully", "halt", "close_all")
"""Of plans that come true together, the strongest is carried out last."""

_NOTHING: Final[list[Effect]] = []


def look_at_plans(state: State, now_ns: int) -> list[Effect]:
    """Carry out the plans whose conditions have come true."""
    rules, terms = state.fixed.policy.rules, state.plan_terms
    if rules is None or terms is None or not state.is_open or state.needs_reconciling:
        return _NOTHING
    price = state.last_price
    if now_ns - state.plans_looked_ns < LOOK_NS or not price > 0.0:
        return _NOTHING
    position, hedge = sizes(state.terms, state.books)
    if position <= 0.0:
        return _NOTHING
    state.plans_looked_ns = now_ns
    left = share_left(state.budgets, equity(state.books, price))
    hold = np.zeros(len(rules.plans), dtype=np.bool_)
    plans_hold(
        terms, state.signals, now_ns, hedge / position,
        backing(state.terms, state.books, state.signals, 0, price), position * price,
        left, hold,
    )  # fmt: skip
    due = []
    for plan, is_true in zip(rules.plans, hold.tolist(), strict=True):
        if is_true:
            if plan.name not in state.plans_true_ns:
                due.append(plan)
            state.plans_true_ns[plan.name] = now_ns
        elif now_ns - state.plans_true_ns.get(plan.name, now_ns) >= REARM_NS:
            del state.plans_true_ns[plan.name]
    effects = _NOTHING
    for plan in sorted(due, key=lambda plan: _LAST.index(plan.then)):
        effects = effects + _carry_out(state, plan, now_ns)
    return effects


def reason_of(name: str) -> str:
    """Return the reason that a plan gives for what it does."""
    return f'your plan "{name}"'


def _carry_out(state: State, plan: Plan, now_ns: int) -> list[Effect]:
    until_ns = now_ns + plan.for_ns if plan.then in HOLDING else 0
    command = command_of(state, plan.then, plan.name, now_ns, until_ns)
    done = f'your plan "{plan.name}" came true: {plan.words()}'
    if plan.then != "alert" and command is None:
        what = "everything is being closed" if state.closing is not None else "a full hedge is held"
        done += f" Nothing more was done: {what} already."
    elif plan.then in HOLDING and state.trading is TradingState.HALTED:
        done += " Trading is HALTED: nothing is sent until you resume."
    effects: list[Effect] = [PlanFired(now_ns, plan.name, plan.then, until_ns)]
    if command is not None:
        effects += REACTIONS[type(command)](state, command)
    return [*effects, Alert("act_now", done)]


def command_of(
    state: State, then: Then, name: str, now_ns: int, until_ns: int
) -> ev.Command | None:  # fmt: skip
    """Return the person's command that a plan stands for.

    None where it does nothing (an alert), or where more is done already.
    """
    if state.closing is not None:
        return None
    reason = reason_of(name)
    match then:
        case "freeze":
            held = state.override
            most = float(state.terms["max_ratio"][0])
            is_full = isinstance(held, ev.SetHedge) and held.ratio >= most
            if is_full and now_ns < held.until_ns:  # type: ignore[union-attr]
                return None
            return ev.Freeze(now_ns, now_ns, until_ns)
        case "hedge_fully":
            return ev.SetHedge(now_ns, now_ns, 1.0, until_ns)
        case "close_all":
            return ev.CloseAll(now_ns, now_ns, reason)
        case "halt":
            return ev.Halt(now_ns, now_ns, reason)
        case _:
            return None
