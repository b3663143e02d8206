"""In which kind of market an episode began, and what every policy made of each kind."""

from __future__ import annotations

from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Episodes
from litehedge.hedge import signals as sg
from litehedge.model.measures.strata import kinds_of_market
from litehedge.report.metrics import cvar5, episode_hedge, episode_returns
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY

Bools = NDArray[np.bool_]

LEAST_EPISODES: Final = 20
"""A stratum with fewer says nothing."""


class StratumRow(TypedDict):
    """One policy, side and leverage in the episodes that began in one kind of market."""

    stratum: str
    policy: str
    side: str
    leverage: float
    episode_days: float
    episodes: int
    liquidation_rate: float
    mean_return: float
    cvar5: float
    avg_hedge: float


def kinds_of_episodes(tape: Tape, where: Episodes) -> dict[str, Bools]:
    """Return which episodes began in each kind of market, ``(episode,)``.

    Terciles of the slow volatility at the openings themselves, with the sign of the move of the
    day before; the sign of the last funding; the third of the UTC day. All was known at the
    opening, except where the terciles lie.
    """
    last = np.maximum(where.starts - 1, 0)
    day = NS_PER_DAY // tape.bar_ns
    before = np.maximum(where.starts - day, 0)
    volatility = tape.signals[sg.SIGMA, last].astype(np.float64)
    known = volatility[np.isfinite(volatility)]
    edges = np.quantile(known, [1 / 3, 2 / 3]) if known.size else np.array([np.nan, np.nan])
    move = np.log(tape.bars[last, 3] / tape.bars[before, 0])
    funding = tape.signals[sg.FUNDING, last].astype(np.float64)
    opens_ns = tape.end_ns[where.starts] - tape.bar_ns
    return kinds_of_market(volatility, move, funding, opens_ns + 1, edges)


def stratum_rows(
    kinds: dict[str, Bools], outcomes: NDArray[np.void], policy: str, side: str, leverage: float,
    episode_days: float,
) -> list[StratumRow]:  # fmt: skip
    """Measure one policy in every kind of market with enough episodes."""
    rows = []
    for name, mask in kinds.items():
        if mask.sum() < LEAST_EPISODES:
            continue
        some = outcomes[mask]
        returns = episode_returns(some)
        rows.append(
            StratumRow(
                stratum=name, policy=policy, side=side, leverage=leverage,
                episode_days=episode_days, episodes=int(some.size),
                liquidation_rate=float((some["liquidations"] > 0).mean()),
                mean_return=float(returns.mean()), cvar5=cvar5(returns),
                avg_hedge=float(episode_hedge(some).mean()),
            )
        )  # fmt: skip
    return rows


def worst_of(rows: list[StratumRow], policy: str) -> StratumRow | None:
    """Return the kind of market in which a policy lost most in its worst 5 %."""
    mine = [row for row in rows if row["policy"] == policy]
    return min(mine, key=lambda row: row["cvar5"]) if mine else None
