"""Two short worlds, lived through once for all tests, and tapes made by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from forecasters import logistic
from litehedge.blowup.lives import BEGIN_S, Plan, lives_on
from litehedge.blowup.worlds import world_tape
from litehedge.config import Position, Settings
from litehedge.hedge import signals as sg
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.scenario import load_scenario, shocks_array
from litehedge.squeeze.forecast import ForecastState
from litehedge.tape import Tape
from litehedge.units import NS_PER_MINUTE
from synthetic import T0, packaged_tiers

SEEDS = (1, 2)
DAYS = 3
PLAN = Plan(
    Parameters(), load_scenario("crash-2025-10").shocks,
    Settings(position=Position(wallet_usdt=500.0)), packaged_tiers(), logistic(1),
    (2.0, 5.0, 10.0, 20.0, 50.0), DAYS,
)  # fmt: skip


@cache
def tape(seed: int) -> Tape:
    """Three days of a world in which a crash happens."""
    shocks = shocks_array(PLAN.shocks, BEGIN_S)
    return world_tape(PLAN.parameters, shocks, seed, BEGIN_S, DAYS, PLAN.forecaster, warm_up_days=2)


@cache
def lives(seed: int, leverages: tuple[float, ...] = PLAN.leverages) -> np.ndarray:
    """Every life in that world."""
    return lives_on(tape(seed), replace(PLAN, leverages=leverages), seed)


def made_tape(closes: np.ndarray) -> Tape:
    """Minutes that open where the one before closed, with a forecast of noise."""
    closes = np.asarray(closes, dtype=np.float64)
    opens = np.concatenate((closes[:1], closes[:-1]))
    n = closes.size
    signals = np.random.default_rng(n).uniform(0.0, 0.01, (sg.N_SIGNALS, n)).astype(np.float32)
    signals[sg.STATE] = ForecastState.OK
    return Tape(
        "made", NS_PER_MINUTE, T0 + NS_PER_MINUTE * np.arange(1, n + 1),
        np.column_stack((opens, np.maximum(opens, closes), np.minimum(opens, closes), closes,
                         np.full(n, 1e6))),
        np.empty(0, dtype=np.int64), np.empty(0), signals, np.zeros(4), [],
    )  # fmt: skip
