"""Figures of episodes and of single runs: pure functions of what the backtest returned.

Rates, returns and costs are fractions of the wallet unless a name says otherwise. A year has 365
days: Litecoin trades on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import STATIC_GRID, Run, walk
from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.hedge.policies import static
from litehedge.margin.tiers import TierTable
from litehedge.report.blocks import CONFIDENCE, draw_blocks
from litehedge.report.series import (
    align,
    cumulated_pnl,
    daily_pnl,
    drawdown,
    legs_pnl,
    monthly_pnl,
    smallest,
)
from litehedge.sim.episode import PATH_DISTANCE
from litehedge.tape import Tape
from litehedge.units import DAYS_PER_YEAR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TAIL: Final = 0.05


def tail_count(n: int) -> int:
    """Return how many of `n` values make the worst 5 %: at least one."""
    return max(1, n // round(1.0 / TAIL))


def cvar5(values: Floats) -> float:
    """Return the mean of the worst 5 % of the values (at least one of them), NaN for none."""
    if values.size == 0:
        return float("nan")
    worst = np.partition(values, tail_count(values.size) - 1)[: tail_count(values.size)]
    return float(worst.mean())


# --- episodes ---------------------------------------------------------------------------------


class ComparisonRow(TypedDict):
    """One policy, side and leverage over many episodes; means per episode."""

    policy: str
    side: str
    leverage: float
    episodes: int
    liquidation_rate: float
    mean_return: float
    cvar5: float
    worst: float
    cost_fees: float
    cost_slippage: float
    cost_funding: float
    avg_hedge: float
    turnover: float
    trades: float
    static_liquidation_rate: float
    static_mean_return: float
    location: str  # of the hedge


class Interval(NamedTuple):
    """A 90 % interval; NaN where the data cannot give one."""

    low: float
    high: float


class ComparisonInterval(NamedTuple):
    """The 90 % intervals of a comparison row."""

    liquidation_rate: Interval
    mean_return: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """All policies on one side and leverage, and the frontier of static hedges beside them.

    `intervals` lie beside `rows`. Shapes: `static_liquidation_rates` and `static_mean_returns`
    ``(21,)``, at `litehedge.backtest.STATIC_GRID`.
    """

    side: str
    leverage: float
    rows: Sequence[ComparisonRow]
    intervals: Sequence[ComparisonInterval]
    static_liquidation_rates: Floats
    static_mean_returns: Floats


def episode_returns(outcomes: NDArray[np.void]) -> Floats:
    """Return what each episode gave, as a fraction of its wallet, ``(episode,)``."""
    returns: Floats = outcomes["equity"] / outcomes["wallet"] - 1.0
    return returns


def _ratio_sums(outcomes: NDArray[np.void]) -> Floats:
    """Where a free hedge left nothing of the position there is no ratio: it is all hedged."""
    sums: Floats = outcomes["ratio_sum"]
    return np.where(np.isnan(sums), outcomes["bars"], sums)


def episode_hedge(outcomes: NDArray[np.void]) -> Floats:
    """Return the average hedge of each episode over its bars, ``(episode,)``."""
    return np.asarray(_ratio_sums(outcomes) / np.maximum(outcomes["bars"], 1))


def comparison_row(
    policy: str,
    side: str,
    leverage: float,
    outcomes: NDArray[np.void],
    frontier: tuple[Floats, Floats],
    location: str = "same_account",
) -> ComparisonRow:
    """Sum up the episodes of one policy.

    Parameters
    ----------
    outcomes
        `OUTCOME`, ``(episode,)``.
    frontier
        Liquidation rates and mean returns of static hedges at `STATIC_GRID`; the row carries
        them interpolated at its own average hedge.

    Raises
    ------
    UsageError
        When there is no episode.
    """
    if outcomes.size == 0:
        raise UsageError(f"{policy} has no episodes", "choose a longer range or shorter episodes")
    wallet = outcomes["wallet"]
    returns = episode_returns(outcomes)
    avg_hedge = float(episode_hedge(outcomes).mean())
    return ComparisonRow(
        policy=policy,
        side=side,
        leverage=float(leverage),
        episodes=int(outcomes.size),
        liquidation_rate=float((outcomes["liquidations"] > 0).mean()),
        mean_return=float(returns.mean()),
        cvar5=cvar5(returns),
        worst=float(returns.min()),
        cost_fees=float(((outcomes["fees"] + outcomes["clearance"]) / wallet).mean()),
        cost_slippage=float((outcomes["slippage"] / wallet).mean()),
        cost_funding=float((outcomes["funding"] / wallet).mean()),
        avg_hedge=avg_hedge,
        turnover=float(outcomes["turnover"].mean()),
        trades=float(outcomes["trades"].mean()),
        static_liquidation_rate=float(np.interp(avg_hedge, STATIC_GRID, frontier[0])),
        static_mean_return=float(np.interp(avg_hedge, STATIC_GRID, frontier[1])),
        location=location,
    )


def life_frontier(
    tape: Tape, settings: Settings, tiers: TierTable, *, reopens: bool = True
) -> tuple[Floats, Floats]:
    """Return liquidation rates and mean returns of lives with a static hedge, at `STATIC_GRID`."""
    lives = [
        walk(tape, settings, tiers, static(float(ratio)), reopens=reopens).outcomes
        for ratio in STATIC_GRID
    ]
    rates = np.array([(one["liquidations"] > 0).mean() for one in lives])
    returns = np.array([(one["equity"] / one["wallet"] - 1.0).mean() for one in lives])
    return rates, returns


def comparison_interval(
    outcomes: NDArray[np.void], opens_ns: Ints, length_ns: int
) -> ComparisonInterval:
    """Return bootstrap intervals of liquidation rate and mean return.

    Episodes overlap and markets have moods, so stretches of days are drawn (circular blocks, four
    episodes long), with all episodes that opened in them. Less than four blocks give no interval.
    A rate of 0 or 1 is bounded as if of the episodes that do not overlap (Clopper and Pearson).

    Shapes: `outcomes` and `opens_ns` (when each episode opened) ``(episode,)``; `length_ns` is
    the length of an episode.
    """
    blocks = draw_blocks(opens_ns, length_ns)
    if blocks is None:
        nothing = Interval(float("nan"), float("nan"))
        return ComparisonInterval(nothing, nothing)

    def interval(values: Floats) -> Interval:
        low, high = np.quantile(
            blocks.means(values), [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0]
        )
        return Interval(float(low), float(high))

    died = (outcomes["liquidations"] > 0).astype(np.float64)
    rate = interval(died)
    unseen = blocks.unseen
    if not died.any():
        rate = Interval(0.0, unseen)
    elif died.all():
        rate = Interval(1.0 - unseen, 1.0)
    return ComparisonInterval(rate, interval(episode_returns(outcomes)))


# --- one run ----------------------------------------------------------------------------------


class Period(NamedTuple):
    """Profit of a day or month that starts at `start_ns` (UTC); `share` is of one wallet."""

    start_ns: int
    pnl_usdt: float
    share: float


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The figures of one run.

    Every life starts with a fresh wallet: `invested_usdt` is the sum of them, and shares are
    fractions of it unless they are said to be of one wallet. `daily_*` and
    `volatility_annual` are of daily profit as a fraction of one wallet; a year has 365 days.
    Figures that cannot be told (too few days, no unhedged run) are NaN.
    """

    policy: str
    lives: int
    liquidated_ns: list[int]
    wallet_usdt: float
    invested_usdt: float
    pnl_usdt: float
    pnl_share: float
    life_drawdown: float  # largest fall of equity from its peak within a life, share of the peak
    drawdown_usdt: float  # largest fall of the cumulated profit
    drawdown_wallets: float  # the same, in wallets
    nearest_liquidation: float  # smallest distance at a close, fraction of price
    days: int
    worst_day: Period
    worst_month: Period
    months: list[Period]
    daily_cvar5: float
    volatility_annual: float
    worst_days: int  # days that make the worst 5 % without hedge
    effectiveness: float  # 1 - loss with hedge / loss without, over those days
    leg_correlation: float  # of the daily profit of hedge and position, from price moves
    avg_hedge: float
    turnover: float
    trades: int
    refusals: int
    fees_usdt: float
    slippage_usdt: float
    funding_usdt: float
    clearance_usdt: float

    @property
    def cost_usdt(self) -> float:
        """Everything that was paid: fees, slippage, funding, clearance."""
        return self.fees_usdt + self.slippage_usdt + self.funding_usdt + self.clearance_usdt


def run_summary(
    run: Run, tape: Tape, settings: Settings, unhedged: Run | None = None
) -> RunSummary:
    """Sum up one run on a tape.

    Parameters
    ----------
    unhedged
        The same position without hedge, on the same tape; without it, and for itself, the
        effectiveness in the worst days is NaN.

    Raises
    ------
    UsageError
        When a run has bars that the tape does not have.
    """
    run = align(run, tape)
    lives = run.outcomes
    wallet = float(lives["wallet"][0])
    invested = float(lives["wallet"].sum())
    cumulated = cumulated_pnl(run)
    pnl = float((lives["equity"] - lives["wallet"]).sum())
    fall = -float(drawdown(cumulated).min())
    days = daily_pnl(run.end_ns, cumulated)
    months = monthly_pnl(run.end_ns, cumulated)
    daily = days.pnl_usdt / wallet
    return RunSummary(
        policy=run.policy,
        lives=int(lives.size),
        liquidated_ns=run.liquidated_ns,
        wallet_usdt=wallet,
        invested_usdt=invested,
        pnl_usdt=pnl,
        pnl_share=pnl / invested,
        life_drawdown=float(lives["drawdown"].max()),
        drawdown_usdt=fall,
        drawdown_wallets=fall / wallet,
        nearest_liquidation=smallest(run.path[:, PATH_DISTANCE]),
        days=int(daily.size),
        worst_day=_worst(days.start_ns, days.pnl_usdt, wallet),
        worst_month=_worst(months.start_ns, months.pnl_usdt, wallet),
        months=[
            Period(start, pnl_usdt, pnl_usdt / wallet)
            for start, pnl_usdt in zip(
                months.start_ns.tolist(), months.pnl_usdt.tolist(), strict=True
            )
        ],
        daily_cvar5=cvar5(daily),
        volatility_annual=float(daily.std(ddof=1) * np.sqrt(DAYS_PER_YEAR))
        if daily.size > 1
        else float("nan"),
        worst_days=tail_count(daily.size),
        effectiveness=_effectiveness(run, days.pnl_usdt, unhedged, tape),
        leg_correlation=_leg_correlation(run, tape, settings),
        avg_hedge=float(_ratio_sums(lives).sum() / max(1, int(lives["bars"].sum()))),
        turnover=float(lives["turnover"].sum()),
        trades=int(lives["trades"].sum()),
        refusals=int(lives["refusals"].sum()),
        fees_usdt=float(lives["fees"].sum()),
        slippage_usdt=float(lives["slippage"].sum()),
        funding_usdt=float(lives["funding"].sum()),
        clearance_usdt=float(lives["clearance"].sum()),
    )


def _worst(start_ns: Ints, pnl_usdt: Floats, wallet_usdt: float) -> Period:
    i = int(pnl_usdt.argmin())
    return Period(int(start_ns[i]), float(pnl_usdt[i]), float(pnl_usdt[i]) / wallet_usdt)


def _effectiveness(run: Run, hedged_daily: Floats, unhedged: Run | None, tape: Tape) -> float:
    """Say which share of the loss of the worst unhedged days the hedge took away."""
    if unhedged is None or run.policy == unhedged.policy:
        return float("nan")
    naked = align(unhedged, tape)
    naked_daily = daily_pnl(naked.end_ns, cumulated_pnl(naked)).pnl_usdt
    worst = np.argsort(naked_daily, kind="stable")[: tail_count(naked_daily.size)]
    loss = -float(naked_daily[worst].sum())
    return 1.0 + float(hedged_daily[worst].sum()) / loss if loss > 0.0 else float("nan")


def _leg_correlation(run: Run, tape: Tape, settings: Settings) -> float:
    legs = legs_pnl(run, tape, settings)
    position = daily_pnl(run.end_ns, np.cumsum(legs.position_usdt)).pnl_usdt
    hedge = daily_pnl(run.end_ns, np.cumsum(legs.hedge_usdt)).pnl_usdt
    if position.size < 2 or position.std() == 0.0 or hedge.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(position, hedge)[0, 1])
