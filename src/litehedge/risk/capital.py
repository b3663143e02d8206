"""Is there enough money for what the policy wants to place, by the rules of the venue?

A venue takes whole lots, and no order below a minimum notional unless it reduces a leg. So a
position can be too small to be hedged in the policy's steps, or at all. Everything that is too
small gets better with a larger wallet and with more leverage, because only the size of the
position counts; what gets worse with size (the venue's brackets, the margin that a hedge needs)
is told apart.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from litehedge.config import Settings
from litehedge.hedge.plugin import STEP
from litehedge.hedge.policies import (
    HAZARD,
    LARGE_MOVE,
    MARGIN_VOLATILITY,
    ORACLE,
    PLUGIN,
    STATIC,
    UNHEDGED,
    VOLATILITY_TARGET,
    Policy,
    policy_named,
)
from litehedge.margin.tiers import FLOOR, MAX_LEVERAGE, TierTable, maintenance
from litehedge.risk.limits import allow_margin, whole_lots

_NEAR: Final = 1e-9


class Placeable(StrEnum):
    """What the venue takes of what the policy wants, from worst to best."""

    NOTHING = "nothing"  # not even the position
    POSITION = "position"  # but no hedge
    COARSE = "coarse"  # a hedge, in larger steps than the policy's
    ALL = "all"


class CapitalCheck(msgspec.Struct, frozen=True):
    """Whether a wallet is large enough at a leverage and a price, and what goes wrong.

    Amounts are in USDT. `step` is the smallest change of the hedge that the policy makes and
    `possible_step` the smallest that the venue takes, as shares of the position; `rounding` is what
    whole lots take away from a step at most, as a share of the step. `hedge_room` is the largest
    hedge that the margin bears when the position opens, as a share of it.
    """

    placeable: Placeable
    wallet_usdt: float
    leverage: float
    position_usdt: float
    smallest_order_usdt: float
    step: float
    possible_step: float
    rounding: float
    minimum_usdt: float
    hedge_minimum_usdt: float
    position_minimum_usdt: float
    maximum_usdt: float
    hedge_room: float
    problems: list[str]

    @property
    def is_enough(self) -> bool:
        """Whether the venue takes the position and every step of the hedge."""
        return self.placeable is Placeable.ALL


def smallest_step(policy: Policy, settings: Settings) -> float:
    """Return the smallest change of the hedge ratio that a policy makes by itself.

    0 when it never trades. A kind that is not known here counts as the plug-in does.
    """
    if policy.kind in (UNHEDGED, STATIC):
        return 0.0
    if policy.kind in (LARGE_MOVE, MARGIN_VOLATILITY, ORACLE):
        return 1.0
    if policy.kind in (HAZARD, VOLATILITY_TARGET):
        return float(policy.parameters[1])  # the half-width of its band
    return float(policy.parameters[STEP]) if policy.kind == PLUGIN else settings.plugin.step


def capital_check(settings: Settings, price: float, tiers: TierTable) -> CapitalCheck:
    """Return what of position and hedge the venue takes at `price`, and the wallet it needs.

    The price falls and rises: the minimum is for this one, in proportion to it where the smallest
    lot decides, and independent of it where the smallest order does.
    """
    venue, wanted, hedge = settings.venue, settings.position, settings.hedge
    second = hedge.second_wallet_share if hedge.location == "second_venue" else 0.0
    per_usdt = wanted.leverage * (1.0 - second) / price  # LTC of position
    fewest = _lots(max(venue.min_notional_usdt / price, venue.lot_ltc), venue.lot_ltc)
    step = min(smallest_step(policy_named(hedge.policy, settings), settings), hedge.max_ratio)

    def wallet_for(lots: float) -> float:
        return float(lots * venue.lot_ltc / per_usdt)

    def lots_for(ratio: float) -> float:
        return float(np.ceil(fewest / ratio * (1.0 - _NEAR)))

    size = float(whole_lots(wanted.wallet_usdt * per_usdt * (1.0 + _NEAR), venue.lot_ltc))
    lots = np.round(size / venue.lot_ltc)
    needs = (fewest, lots_for(hedge.max_ratio), lots_for(step)) if step > 0.0 else (fewest,) * 3
    placeable = list(Placeable)[sum(bool(lots >= need) for need in needs)]
    position_usdt = size * price
    room = _hedge_room(settings, tiers, position_usdt, second)
    order_usdt = fewest * venue.lot_ltc * price
    possible = fewest / lots if lots > 0 else np.inf
    check = CapitalCheck(
        placeable=placeable,
        wallet_usdt=wanted.wallet_usdt,
        leverage=wanted.leverage,
        position_usdt=position_usdt,
        smallest_order_usdt=order_usdt,
        step=step,
        possible_step=float(possible),
        rounding=float(min(1.0, 1.0 / (step * lots))) if step > 0.0 and lots > 0 else 0.0,
        minimum_usdt=wallet_for(needs[2]),
        hedge_minimum_usdt=wallet_for(needs[1]),
        position_minimum_usdt=wallet_for(needs[0]),
        maximum_usdt=_largest_notional(tiers, wanted.leverage) / (wanted.leverage * (1.0 - second)),
        hedge_room=room,
        problems=[],
    )
    return msgspec.structs.replace(check, problems=_problems(check, settings))


def _lots(qty: float, lot: float) -> float:
    """Return a quantity in lots, rounded up."""
    return float(np.ceil(qty / lot * (1.0 - _NEAR)))


def _largest_notional(tiers: TierTable, leverage: float) -> float:
    """Return the largest position that the brackets allow at a leverage; 0 for none."""
    ceilings = np.append(tiers.rows[1:, FLOOR], tiers.cap_usdt)
    allowed = ceilings[tiers.rows[:, MAX_LEVERAGE] >= leverage]
    return float(allowed.max()) if allowed.size else 0.0


def _hedge_room(settings: Settings, tiers: TierTable, position_usdt: float, second: float) -> float:
    """Return the largest hedge that keeps the margin buffer when the position opens, as a share."""
    if settings.hedge.location == "reduce" or position_usdt <= 0.0:
        return 1.0
    wallet = settings.position.wallet_usdt
    backing = wallet * second if second > 0.0 else wallet
    taken = 0.0 if second > 0.0 else float(maintenance(position_usdt, tiers.rows))
    largest = allow_margin(
        position_usdt, 0.0, 1.0, backing, taken, settings.limits.min_margin_buffer, tiers.rows
    )
    return float(min(1.0, largest / position_usdt))


def _problems(check: CapitalCheck, settings: Settings) -> list[str]:
    told = []
    order = f"{check.smallest_order_usdt:,.2f} USDT"
    at = f"at {check.leverage:g}x"
    match check.placeable:
        case Placeable.NOTHING:
            told.append(
                f"the venue takes no order below {order}: a wallet of "
                f"{check.position_minimum_usdt:,.2f} USDT {at} is the least for the position"
            )
        case Placeable.POSITION:
            told.append(
                f"the venue takes no order below {order}, and a hedge of "
                f"{settings.hedge.max_ratio:.0%} is smaller: nothing can be hedged below a wallet "
                f"of {check.hedge_minimum_usdt:,.2f} USDT {at}"
            )
        case Placeable.COARSE:
            told.append(
                f"the policy hedges in steps of {check.step:.0%}, the venue takes none below "
                f"{check.possible_step:.0%} of this position: hedges come later and larger, below "
                f"a wallet of {check.minimum_usdt:,.2f} USDT {at}"
            )
        case _:
            pass
    if check.wallet_usdt > check.maximum_usdt:
        told.append(
            f"the brackets allow {check.leverage:g}x up to a wallet of "
            f"{check.maximum_usdt:,.0f} USDT: take less leverage"
        )
    if check.step > 0.0 and check.hedge_room < settings.hedge.max_ratio - _NEAR:
        told.append(
            f"the margin bears a hedge of {check.hedge_room:.0%} when the position opens, not of "
            f"{settings.hedge.max_ratio:.0%}: take less leverage, or hedge.location = 'reduce'"
        )
    return told
