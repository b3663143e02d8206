"""What the engine does when the venue changes the rules of the contract that it trades.

New tiers, fees and steps are taken over at once: the next decision reckons with them. While the
contract does not trade nothing is sent to that venue; a hedge that has a venue of its own, which
stopped, is replaced by reducing where the settings allow that.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import Final, Literal

import numpy as np

from litehedge.config import VenueRules
from litehedge.effects import Alert, Effect
from litehedge.engine_state import State
from litehedge.hedge.terms import MAX_TIERS, padded
from litehedge.margin.account import HEDGE
from litehedge.margin.tiers import FLOOR, MAX_LEVERAGE, RATE, TierTable
from litehedge.market import events as ev
from litehedge.units import BPS, NS_PER_MINUTE

FLOOR_NEWS: Final = 0.2
"""Floors of tiers that move by less than this share are taken over without a word."""
STOPPED_NS: Final = 5 * NS_PER_MINUTE
"""For so long, and then again, hedges are taken to be refused by a venue that does not trade."""


def on_contract_changed(state: State, event: ev.ContractChanged) -> list[Effect]:
    """Take over what a venue says of its contract; tell people what is new."""
    effects: list[Effect] = []
    place = int(event.is_second)
    if event.is_trading == state.is_stopped[place]:
        state.is_stopped[place] = not event.is_trading
        where = "the hedge's contract" if event.is_second else "the contract"
        if event.is_trading:
            effects.append(Alert("done", f"the venue trades {where} again"))
        else:
            text = f"the venue stopped trading {where}: no orders go there; what is open stays"
            effects.append(Alert("act_now", text))
    fault = _fault(event)
    if fault:
        text = f"the venue told rules that cannot be ({fault}): those of before are kept"
        return [*effects, Alert("act_now", text)]
    if event.is_second:
        return [*effects, *_take_over_second(state, event)]
    settings = state.fixed.settings
    news, is_grave = _news(
        settings.venue, state.fixed.tiers, settings.costs.taker_fee_bps * BPS, event
    )
    _take_over(state, event)
    if news:
        level: Literal["act_now", "done"] = "act_now" if is_grave else "done"
        effects.append(Alert(level, f"the venue changed {', '.join(news)}; from now on it counts"))
    return effects


def hedging_stopped(state: State) -> bool:
    """Tell whether the hedge has a venue of its own, which does not trade, while ours does."""
    apart = int(state.books["wallet_of"][0, HEDGE]) == 1
    return apart and state.is_stopped[1] and not state.is_stopped[0]


def is_stopped(state: State, leg: int) -> bool:
    """Tell whether the venue where a leg lives does not trade."""
    return state.is_stopped[int(state.books["wallet_of"][0, leg])]


def _fault(told: ev.ContractChanged) -> str:
    """Say what about the rules is impossible; empty when nothing is."""
    numbers = (
        told.tick_usdt, told.lot_ltc, told.min_notional_usdt, told.taker_fee, told.clearance_fee,
        told.cap_usdt, *(value for row in told.tiers for value in row),
    )  # fmt: skip
    if not all(isfinite(value) for value in numbers):
        return "a number that is not finite"
    if told.tick_usdt <= 0.0 or told.lot_ltc <= 0.0 or told.min_notional_usdt < 0.0:
        return "a step of nothing"
    if not (abs(told.taker_fee) < 0.1 and 0.0 <= told.clearance_fee < 0.5):
        return "a fee out of all proportion"
    if not 1 <= len(told.tiers) <= MAX_TIERS or told.tiers[0][0] != 0.0 or told.tiers[0][2] != 0.0:
        return "tiers that do not begin at nothing"
    rows = np.array(told.tiers)
    rises = np.all(np.diff(rows[:, :2], axis=0) > 0.0)
    if not rises or rows[0, 1] <= 0.0 or rows[-1, 1] >= 1.0 or rows[:, 3].min() < 1.0:
        return "tiers that do not rise"
    joins = np.cumsum(rows[1:, 0] * np.diff(rows[:, 1]))
    if np.any(np.abs(rows[1:, 2] - joins) > 0.5 + 1e-6 * joins):
        return "tiers that do not join"
    return ""


def _news(
    venue: VenueRules, tiers: TierTable, fee: float, told: ev.ContractChanged
) -> tuple[list[str], bool]:
    """Return what is new in words, and whether it brings a liquidation nearer."""
    rows = np.array(told.tiers)
    news, is_grave = [], False
    # Venues that count tiers in contracts have floors that move with the price: that is no news.
    if rows.shape != tiers.rows.shape or not (
        np.allclose(rows[:, [RATE, MAX_LEVERAGE]], tiers.rows[:, [RATE, MAX_LEVERAGE]], rtol=1e-9)
        and np.allclose(rows[:, FLOOR], tiers.rows[:, FLOOR], rtol=FLOOR_NEWS)
    ):
        news.append("its maintenance margin")
        is_grave = True
    pairs = (
        ("the clearance fee", tiers.clearance_fee, told.clearance_fee),
        ("the taker fee", fee, told.taker_fee),
    )
    return [*news, *_changed(pairs), *_changed(_steps(venue, told))], is_grave


def _steps(before: VenueRules, told: ev.ContractChanged) -> tuple[tuple[str, float, float], ...]:
    return (
        ("the price step", before.tick_usdt, told.tick_usdt),
        ("the quantity step", before.lot_ltc, told.lot_ltc),
        ("the smallest order", before.min_notional_usdt, told.min_notional_usdt),
    )


def _changed(pairs: tuple[tuple[str, float, float], ...]) -> list[str]:
    return [
        f"{name} from {before:g} to {now:g}"
        for name, before, now in pairs
        if abs(now - before) > 1e-12 + 1e-9 * abs(before)
    ]


def _take_over_second(state: State, told: ev.ContractChanged) -> list[Effect]:
    """Let what is traded and held at the hedge's own venue obey its rules, fees and tiers."""
    fixed, before = state.fixed, state.hedge_rules
    news: list[str] = []
    is_grave = False
    if before is not None and state.hedge_tiers is not None and state.hedge_fee is not None:
        news, is_grave = _news(before, state.hedge_tiers, state.hedge_fee, told)
    state.hedge_rules = (before or fixed.settings.venue).model_copy(update=_rules(told))
    state.hedge_tiers = _table(state.hedge_tiers or fixed.tiers, told)
    state.hedge_fee = told.taker_fee
    state.guards.reckon(fixed.settings, fixed.tiers, state.hedge_tiers)
    if fixed.settings.hedge.location == "second_venue":
        _reckon_hedge(state, told, state.hedge_tiers)
    if not news:
        return []
    level: Literal["act_now", "done"] = "act_now" if is_grave else "done"
    return [Alert(level, f"the hedge's venue changed {', '.join(news)}; from now on it counts")]


def _table(before: TierTable, told: ev.ContractChanged) -> TierTable:
    return replace(
        before, version="told by the venue", source="the venue",
        clearance_fee=told.clearance_fee, cap_usdt=told.cap_usdt, rows=np.array(told.tiers),
    )  # fmt: skip


def _rules(told: ev.ContractChanged) -> dict[str, float]:
    return {
        "tick_usdt": told.tick_usdt,
        "lot_ltc": told.lot_ltc,
        "min_notional_usdt": told.min_notional_usdt,
    }


def _reckon_hedge(state: State, told: ev.ContractChanged, tiers: TierTable) -> None:
    """Size and judge changes of the hedge by the rules of the venue where they are made."""
    for terms in (state.terms, state.safe):
        terms["tick"], terms["lot"] = told.tick_usdt, told.lot_ltc
        terms["min_notional"] = told.min_notional_usdt
        terms["taker_fee"] = told.taker_fee
        terms["hedge_tiers"][0] = padded(tiers)


def _take_over(state: State, told: ev.ContractChanged) -> None:
    fixed = state.fixed
    venue = fixed.settings.venue.model_copy(update=_rules(told))
    costs = fixed.settings.costs.model_copy(update={"taker_fee_bps": told.taker_fee / BPS})
    tiers = _table(fixed.tiers, told)
    settings = fixed.settings.model_copy(update={"venue": venue, "costs": costs})
    state.fixed = replace(fixed, settings=settings, tiers=tiers)
    state.guards.reckon(settings, tiers, state.hedge_tiers)
    if state.hedge_rules is None or settings.hedge.location != "second_venue":
        _reckon_hedge(state, told, tiers)
    for terms in (state.terms, state.safe):
        terms["clearance"] = told.clearance_fee
        terms["tiers"][0] = padded(tiers)
