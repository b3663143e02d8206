"""What a policy did in bad times: figures of episodes beyond those of every comparison.

Shares and returns are fractions of the wallet with which an episode began.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Episodes, Run
from litehedge.config import Settings
from litehedge.report.contest.families import Figure, Trace
from litehedge.report.metrics import (
    Comparison,
    ComparisonRow,
    episode_returns,
    tail_count,
)
from litehedge.report.series import cumulated_pnl, daily_pnl, legs_pnl
from litehedge.sim.episode import PATH_RATIO
from litehedge.squeeze.labels import Squeeze
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MONTH_NS: Final = 30 * NS_PER_DAY
LEAST_BARS: Final = 12
"""Of a leg, for a correlation."""


class FullRow(ComparisonRow):
    """A row of a comparison with what is told of a policy besides; NaN where it is not known."""

    episode_days: float
    drawdown_mean: float  # largest fall of equity from its peak, mean over episodes
    drawdown_q95: float
    worst_month: float  # see `worst_month`
    effectiveness: float  # share of the loss avoided in the unhedged position's worst 5 % episodes
    effectiveness_days: float  # the same over the worst 5 % of days, of episodes one after another
    corr_squeeze: float  # of the profit of hedge and position, bar by bar, in adverse squeezes
    corr_calm: float  # and outside of them
    cost_clearance: float  # liquidation fees; `cost_fees` holds them too
    static_cvar5: float  # of a static hedge of the same average
    static_drawdown_mean: float
    static_hedge_at_mean: float  # the least liquidated static hedge with no lower mean
    static_liquidation_rate_at_mean: float
    oracle_share: float  # see `oracle_share`


def days_of(comparison: Comparison) -> float:
    """Return how many days the episodes of a comparison are long, NaN where it is not told."""
    return float(comparison.rows[0].get("episode_days", float("nan")))  # type: ignore[arg-type]


class Legs(NamedTuple):
    """Correlation of the legs in adverse squeezes and outside of them."""

    squeeze: float
    calm: float


def worst_month(returns: Floats, where: Episodes, length_ns: int) -> float:
    """Return the worst sum of returns over 30 days of episodes, one right after another.

    As many as fit into 30 days (four weeks; one episode of 30 days), each with a fresh wallet, so
    the sum is in wallets and may be below -1. Every chain counts, wherever it starts; NaN when no
    episode begins where another ends.

    Shapes: `returns` ``(episode,)``; episodes in the order of their starts.
    """
    follows = np.searchsorted(where.starts, where.stops)
    known = follows < len(where)
    known[known] = where.starts[follows[known]] == where.stops[known]
    follower = np.where(known, follows, -1)
    total, at = returns.copy(), np.arange(len(where))
    for _ in range(max(1, MONTH_NS // length_ns) - 1):
        at = np.where(at >= 0, follower[at], -1)
        total = np.where(at >= 0, total + returns[at], np.nan)
    known_sums = total[np.isfinite(total)]
    return float(known_sums.min()) if known_sums.size else float("nan")


def saved_share(hedged: Floats, unhedged: Floats) -> float:
    """Return 1 - loss with hedge / loss without, where the unhedged lost most (the worst 5 %).

    NaN when even there nothing was lost. Shapes: the same ``(episode,)`` or ``(day,)``.
    """
    if unhedged.size == 0:
        return float("nan")
    worst = np.argsort(unhedged, kind="stable")[: tail_count(unhedged.size)]
    loss = -float(unhedged[worst].sum())
    return 1.0 + float(hedged[worst].sum()) / loss if loss > 0.0 else float("nan")


def daily_returns(run: Run) -> Floats:
    """Return the profit of every day in wallets, ``(day,)``."""
    pnl_usdt = daily_pnl(run.end_ns, cumulated_pnl(run)).pnl_usdt
    return np.asarray(pnl_usdt / run.outcomes["wallet"][0])


def squeezed_bars(tape: Tape, side: str) -> Bools:
    """Return the bars between onset and end of the squeezes of one side, ``(bar,)``."""
    inside = np.zeros(len(tape), dtype=np.bool_)
    for squeeze in tape.squeezes:
        if squeeze.side == side:
            inside[
                _first(tape, squeeze) : np.searchsorted(tape.end_ns, squeeze.end_ns, "right")
            ] = 1
    return inside


def _first(tape: Tape, squeeze: Squeeze) -> int:
    """The onset is the end of a frame: the move begins in the bar after it."""
    return int(np.searchsorted(tape.end_ns, squeeze.onset_ns, "right"))


def leg_correlations(run: Run, tape: Tape, settings: Settings, squeezed: Bools) -> Legs:
    """Return how the profits of hedge and position move together, bar by bar while both live.

    From price moves alone, before costs: a static hedge has -1 everywhere, no hedge NaN.
    """
    legs = legs_pnl(run, tape, settings)
    alive = np.isfinite(run.path[:, PATH_RATIO])
    return Legs(
        *(
            _correlation(legs.position_usdt[some], legs.hedge_usdt[some])
            for some in (alive & squeezed, alive & ~squeezed)
        )
    )


def _correlation(one: Floats, other: Floats) -> float:
    if one.size < LEAST_BARS or one.std() == 0.0 or other.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def oracle_share(mean: float, budget: float, statics: Trace, oracle: ComparisonRow | None) -> float:
    """Return which share of the timing oracle's gain over the best static hedge a policy has.

    (mean - best static) / (oracle - best static), all within one budget of CVaR: the policy's own.
    The best static hedge is the one with the highest mean among those whose worst 5 % are no worse
    than the policy's. NaN when the oracle breaks that budget, or is no better than the static.
    """
    best = best_static(budget, statics)
    if oracle is None or not oracle["cvar5"] >= budget or not oracle["mean_return"] > best:
        return float("nan")
    return (mean - best) / (oracle["mean_return"] - best)


def best_static(budget: float, statics: Trace) -> float:
    """Return the highest mean of the static hedges whose CVaR is at least `budget`."""
    within = statics.figures["cvar5"] >= budget
    return float(statics.figures["mean_return"][within].max()) if within.any() else float("nan")


def static_at_mean(mean: float, statics: Trace) -> tuple[float, float]:
    """Return hedge and liquidation rate of the least liquidated static hedge with no lower mean.

    Linear between the members; NaN where no static hedge has such a mean.
    """
    finest = np.linspace(0.0, 1.0, 1001)
    order = np.argsort(statics.hedge, kind="stable")
    at = statics.hedge[order]
    means = np.interp(finest, at, statics.figures["mean_return"][order])
    rates = np.interp(finest, at, statics.figures["liquidation_rate"][order])
    enough = np.flatnonzero(means >= mean - 1e-12)
    if enough.size == 0:
        return float("nan"), float("nan")
    i = enough[rates[enough].argmin()]
    return float(finest[i]), float(rates[i])


def full_row(
    row: ComparisonRow,
    outcomes: NDArray[np.void],
    unhedged: NDArray[np.void],
    where: Episodes,
    length_ns: int,
    statics: Trace,
) -> FullRow:
    """Return a row with everything that episodes tell; what needs paths or rivals is NaN yet."""
    returns = episode_returns(outcomes)
    nan = float("nan")

    def beside(figure: Figure) -> float:
        return statics.along(min(max(row["avg_hedge"], 0.0), 1.0), figure)

    hedge, rate = static_at_mean(row["mean_return"], statics)
    return FullRow(
        **row,
        episode_days=length_ns / NS_PER_DAY,
        drawdown_mean=float(outcomes["drawdown"].mean()),
        drawdown_q95=float(np.quantile(outcomes["drawdown"], 0.95)),
        worst_month=worst_month(returns, where, length_ns),
        effectiveness=saved_share(returns, episode_returns(unhedged)),
        effectiveness_days=nan,
        corr_squeeze=nan,
        corr_calm=nan,
        cost_clearance=float((outcomes["clearance"] / outcomes["wallet"]).mean()),
        static_cvar5=beside("cvar5"),
        static_drawdown_mean=beside("drawdown_mean"),
        static_hedge_at_mean=hedge,
        static_liquidation_rate_at_mean=rate,
        oracle_share=nan,
    )
