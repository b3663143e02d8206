"""The lives of all traders in one world: every arm, leverage and side, through the same minutes.

A trader opens one position at the first minute and keeps it until it is closed by force or the
study ends. Ruin is the first forced closing, be it a part, or the first minute at whose close
equity is below a tenth of the wallet.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import STATIC_GRID, walk, with_position
from litehedge.blowup.worlds import world_tape
from litehedge.blowup.wrong import Wrong, gone_wrong
from litehedge.config import Limits, Settings
from litehedge.hedge.network_policy import Brain
from litehedge.hedge.policies import Policy, policy_named, static, with_rules
from litehedge.hedge.rules import Rules
from litehedge.margin.tiers import TierTable
from litehedge.sim.episode import PATH_EQUITY
from litehedge.sim.market.parameters import LEVERAGES, Parameters
from litehedge.sim.market.state import SHARES
from litehedge.sim.scenario import ScenarioShock, shocks_array
from litehedge.squeeze.forecast import Forecaster
from litehedge.tape import Tape

Ints = NDArray[np.int64]

RUIN_SHARE: Final = 0.1
"""Equity below this share of the wallet is ruin, closed by force or not."""

SIDES: Final = ("long", "short")
BEGIN_S: Final = 1_767_571_200
"""When lives begin: 2026-01-05, a Monday."""


class Arm(enum.IntEnum):
    """What a trader does with the position."""

    STATIC = 0  # a smaller one from the start, free; at ratio 0 the unhedged one
    UNGUARDED = 1  # the policy, with every limit opened
    GUARDED = 2  # the policy behind its limits


LIFE: Final = np.dtype(
    [
        ("seed", np.int64),  # of the world
        ("arm", np.int64),  # `Arm`
        ("wrong", np.int64),  # `Wrong`: how the forecaster has gone wrong
        ("ratio", np.float64),  # of a static arm: by how much the position is smaller
        ("side", np.int64),  # number in `SIDES`
        ("leverage", np.float64),
        ("forced_at", np.int64),  # minute of the first forced closing, -1 for never
        ("poor_at", np.int64),  # first minute with equity below `RUIN_SHARE`, -1 for never
        ("equity", np.float64),  # at the end, share of the wallet
        ("drawdown", np.float64),  # largest fall from a peak, share of the peak
        ("hedge", np.float64),  # mean hedge ratio over the minutes lived
        ("turnover", np.float64),  # sum of |change of the hedge ratio|
        ("refusals", np.int64),  # minutes in which guards cut or refused what was wanted
        ("costs", np.float64),  # fees, slippage and clearance, share of the wallet
        ("funding", np.float64),  # paid, share of the wallet
    ]
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is lived in every world."""

    parameters: Parameters
    shocks: tuple[ScenarioShock, ...]
    settings: Settings
    tiers: TierTable
    forecaster: Forecaster
    leverages: tuple[float, ...]
    days: int
    rules: Rules | None = None
    brain: Brain | None = None  # of the network policy, where it is the one that acts


def opened(limits: Limits) -> Limits:
    """Return limits that never speak, wider than any settings may be: what guards are held to.

    What no limit is made of stays: the venue's smallest order.
    """
    far = 1e18
    return limits.model_copy(
        update={
            "max_hedge_notional_usdt": far, "max_leverage": far, "max_ratio_per_minute": far,
            "max_orders_per_minute": far, "max_orders_per_day": far, "daily_cost_share": far,
            "weekly_cost_share": far,
            "max_depth_share": far, "min_margin_buffer": -far, "equity_stop_share": -far,
            "max_price_age_s": far, "collar_bps": 9_999.0,
        }
    )  # fmt: skip


def live(
    tape: Tape, settings: Settings, tiers: TierTable, policy: Policy
) -> tuple[NDArray[np.void], int]:
    """Carry one position through a tape until it is gone or the tape ends.

    Returns
    -------
    tuple
        Its `OUTCOME` ``(1,)``, and the first bar at whose close equity is below `RUIN_SHARE` of
        the wallet, -1 for never.
    """
    run = walk(tape, settings, tiers, policy, reopens=False)
    poor = run.path[:, PATH_EQUITY] < RUIN_SHARE * run.outcomes["wallet"][0]  # NaN when gone
    return run.outcomes, int(poor.argmax()) if poor.any() else -1


def ruined_at(lives: NDArray[np.void]) -> Ints:
    """Return the minute, counted from the opening, in which each life is ruined; -1 for never."""
    never = np.iinfo(np.int64).max
    both = [np.where(lives[name] < 0, never, lives[name]) for name in ("forced_at", "poor_at")]
    first = np.minimum(*both)
    return np.where(first == never, -1, first)


def crowd_mix(leverages: Sequence[float]) -> dict[float, float]:
    """Return the share of the simulated crowd's open interest at each of these leverages.

    Each leverage of the crowd counts for the nearest of `leverages`, on a logarithmic scale.
    """
    mix = dict.fromkeys(leverages, 0.0)
    for level, share in zip(LEVERAGES, SHARES.tolist(), strict=True):
        mix[min(leverages, key=lambda one: abs(np.log(one / level)))] += share
    return mix


def world_lives(
    plan: Plan, seed: int, reached: Callable[[int], None] = lambda now_ns: None
) -> NDArray[np.void]:
    """Return every life in the world of this seed, `LIFE` ``(life,)``.

    Per leverage and side: static at each of `STATIC_GRID`; then, for each way in which the
    forecaster is right or wrong, the policy of the settings without guards and with them.
    """
    shocks = shocks_array(plan.shocks, BEGIN_S)
    tape = world_tape(
        plan.parameters, shocks, seed, BEGIN_S, plan.days, plan.forecaster, reached=reached
    )
    return lives_on(tape, plan, seed)


def lives_on(tape: Tape, plan: Plan, seed: int) -> NDArray[np.void]:
    """Return every life on a tape, `LIFE` ``(life,)``; `seed` says how forecasters go wrong."""
    unguarded = plan.settings.model_copy(update={"limits": opened(plan.settings.limits)})
    lives: list[NDArray[np.void]] = []
    for wrong in Wrong:
        told = gone_wrong(tape, wrong, seed)
        for leverage in plan.leverages:
            for side in SIDES:
                lives += _traders(told, plan, unguarded, wrong, leverage, side)
    rows = np.concatenate(lives)
    rows["seed"] = seed
    return rows


def _traders(
    tape: Tape, plan: Plan, unguarded: Settings, wrong: Wrong, leverage: float, side: str
) -> list[NDArray[np.void]]:
    policy = policy_named(plan.settings.hedge.policy, plan.settings, plan.brain)
    policy = with_rules(policy, plan.rules)
    guarded = with_position(plan.settings, side, leverage)
    unguarded = unguarded.model_copy(update={"position": guarded.position})
    arms: list[tuple[Arm, Settings, Policy]] = []
    if wrong is Wrong.NOT:  # without a hedge no forecast matters
        arms += [(Arm.STATIC, guarded, static(ratio)) for ratio in STATIC_GRID.tolist()]
    arms += [(Arm.UNGUARDED, unguarded, policy), (Arm.GUARDED, guarded, policy)]
    return [
        _life(*live(tape, settings, plan.tiers, acting), arm, wrong, acting, leverage, side)
        for arm, settings, acting in arms
    ]


def _life(
    outcome: NDArray[np.void], poor_at: int, arm: Arm, wrong: Wrong, policy: Policy,
    leverage: float, side: str,
) -> NDArray[np.void]:  # fmt: skip
    life = life_of(outcome, poor_at, policy, leverage, side)
    life["arm"] = arm
    life["wrong"] = wrong
    return life


def life_of(
    outcome: NDArray[np.void], poor_at: int, policy: Policy, leverage: float, side: str
) -> NDArray[np.void]:
    """Return what `live` told as a `LIFE` ``(1,)``, without arm, forecaster and world."""
    life = np.zeros(1, dtype=LIFE)
    wallet = outcome["wallet"]
    life["ratio"] = policy.free_ratio
    life["side"] = SIDES.index(side)
    life["leverage"] = leverage
    life["forced_at"] = outcome["forced_at"]
    life["poor_at"] = poor_at
    life["equity"] = outcome["equity"] / wallet
    life["drawdown"] = outcome["drawdown"]
    # A free hedge that leaves nothing of the position has no ratio of its own.
    hedge = outcome["ratio_sum"] / outcome["bars"]
    life["hedge"] = policy.free_ratio if policy.free_ratio else hedge
    life["turnover"] = outcome["turnover"]
    life["refusals"] = outcome["refusals"]
    life["costs"] = (outcome["fees"] + outcome["slippage"] + outcome["clearance"]) / wallet
    life["funding"] = outcome["funding"] / wallet
    return life
