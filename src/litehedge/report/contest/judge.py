"""One side, one leverage, all policies: run everything, measure everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge import backtest as bt
from litehedge.config import Settings
from litehedge.hedge.policies import ORACLE, Policy, static
from litehedge.margin.tiers import TierTable
from litehedge.report.blocks import DayBlocks, draw_blocks
from litehedge.report.contest.crises import CrisisRow, Entries, crises_of, crisis_rows, entries_of
from litehedge.report.contest.families import (
    FIGURES,
    RULE,
    Family,
    Figure,
    Trace,
    static_family,
    trace,
)
from litehedge.report.contest.figures import (
    FullRow,
    daily_returns,
    full_row,
    leg_correlations,
    oracle_share,
    saved_share,
    squeezed_bars,
)
from litehedge.report.contest.overfitting import Trials, Verdict
from litehedge.report.contest.paired import PairRow, drawn_measures, pair_rows
from litehedge.report.contest.strata import StratumRow, kinds_of_episodes, stratum_rows
from litehedge.report.metrics import (
    Comparison,
    comparison_interval,
    comparison_row,
    episode_returns,
)
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Outcomes = NDArray[np.void]

HALF: Final = 0.5


class ContestRow(TypedDict):
    """One policy against what a family reaches at the policy's own average hedge.

    `family_*`: every figure on its own envelope, the most favourable to the family. `mixture_*`:
    the same of the one mixture with the fewest liquidations. `halves`: at most half of the family's
    liquidations, with mean and CVaR no worse; `halves_mixture`: the same against that mixture.
    NaN where the family never hedges so much or so little, and then nothing is halved.
    """

    policy: str
    family: str
    side: str
    leverage: float
    episode_days: float
    avg_hedge: float
    liquidation_rate: float
    family_liquidation_rate: float
    mean_return: float
    family_mean_return: float
    mixture_mean_return: float
    cvar5: float
    family_cvar5: float
    mixture_cvar5: float
    drawdown_mean: float
    family_drawdown_mean: float
    halves: bool
    halves_mixture: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """Everything about one side and leverage; without the contest, families and crises are none."""

    comparison: Comparison
    rows: list[FullRow]
    statics: Trace
    families: list[Trace]
    contests: list[ContestRow]
    pairs: list[PairRow]
    strata: list[StratumRow]
    crises: list[CrisisRow]
    weekly: Trials


@dataclass(frozen=True, slots=True)
class Contest:
    """All cells, and how much of it may be luck."""

    cells: list[Cell]
    traced: Sequence[Family] = ()
    overfitting: Verdict | None = None
    crises: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)


def beside(cells: Sequence[Cell]) -> Cell:
    """Put the rows of cells of one side and leverage beside each other; the rest is the first's."""
    rows = [row for cell in cells for row in cell.rows]
    intervals = [one for cell in cells for one in cell.comparison.intervals]
    comparison = replace(cells[0].comparison, rows=rows, intervals=intervals)
    return replace(
        cells[0], comparison=comparison, rows=rows, contests=[], pairs=[], strata=[], crises=[]
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """Episodes of one length on a tape, and what does not depend on side and leverage."""

    tape: Tape
    tiers: TierTable
    length_ns: int
    where: bt.Episodes
    apart: bt.Episodes
    blocks: DayBlocks | None
    kinds: dict[str, Bools]
    entries: Entries

    @property
    def opens_ns(self) -> NDArray[np.int64]:
        """When each episode opens, ``(episode,)``."""
        return np.asarray(self.tape.end_ns[self.where.starts] - self.tape.bar_ns)


def bench_of(tape: Tape, tiers: TierTable, length_ns: int, every_ns: int) -> Bench:
    """Lay episodes on a tape.

    Raises
    ------
    UsageError
        When none fits.
    """
    where = bt.episodes(tape, length_ns, every_ns)
    return Bench(
        tape, tiers, length_ns, where, bt.apart(where),
        draw_blocks(tape.end_ns[where.starts] - tape.bar_ns, length_ns),
        kinds_of_episodes(tape, where), entries_of(tape, crises_of(tape)),
    )  # fmt: skip


def steps_of(wanted: Sequence[Policy], traced: Sequence[Family]) -> int:
    """Return how many policies a cell runs: what `judge` tells its progress in."""
    return bt.STATIC_GRID.size + len(wanted) + sum(len(family.members) for family in traced)


def judge(
    bench: Bench, settings: Settings, wanted: Sequence[Policy], traced: Sequence[Family],
    *, whole: bool = True, reach: Callable[[str], None] = lambda label: None,
) -> Cell:  # fmt: skip
    """Run and measure all policies on the side and leverage of `settings`.

    Parameters
    ----------
    whole
        Whether crises and recorded paths are worth their time too.
    reach
        Is told the name of each policy before it is run.
    """
    side, leverage = settings.position.side, settings.position.leverage
    days = bench.length_ns / NS_PER_DAY

    def grid(policy: Policy, where: bt.Episodes) -> Outcomes:
        return bt.run_grid(bench.tape, where, settings, bench.tiers, policy)

    def traced_one(family: Family) -> Trace:
        outcomes = []
        for member in family.members:
            reach(f"{side} {leverage:g}x: {family.name} {member.name}")
            outcomes.append(grid(member, bench.where))
        return trace(family, outcomes)

    statics = traced_one(static_family())
    frontier = (statics.figures["liquidation_rate"], statics.figures["mean_return"])
    unhedged = grid(static(0.0), bench.where)
    outcomes: dict[str, Outcomes] = {}
    for policy in wanted:
        reach(f"{side} {leverage:g}x: {policy.label}")
        outcomes[policy.label] = grid(policy, bench.where)
    rows = [
        full_row(
            comparison_row(name, side, leverage, done, frontier, settings.hedge.location),
            done, unhedged, bench.where,
            bench.length_ns, statics,
        )
        for name, done in outcomes.items()
    ]  # fmt: skip
    oracles = [policy.label for policy in wanted if policy.kind == ORACLE]
    oracle = next((row for row in rows if row["policy"] in oracles), None)
    for row in rows:
        row["oracle_share"] = oracle_share(row["mean_return"], row["cvar5"], statics, oracle)
    if whole:
        _tell_paths(bench, settings, wanted, rows)
    traces = [traced_one(family) for family in traced]
    drawn = {name: drawn_measures(done, bench.blocks) for name, done in outcomes.items()}
    kept = np.searchsorted(bench.where.starts, bench.apart.starts)
    judged = [name for name in outcomes if name not in oracles]
    return Cell(
        comparison=Comparison(
            side, leverage, rows,
            [comparison_interval(o, bench.opens_ns, bench.length_ns) for o in outcomes.values()],
            *frontier,
        ),
        rows=rows,
        statics=statics,
        families=traces,
        contests=[
            contest_row(row, one, days)
            for one in traces
            for row in rows
            if one.family == RULE and row["policy"] not in oracles
        ],
        pairs=pair_rows(drawn, side, leverage, days),
        strata=[
            found
            for name, done in outcomes.items()
            for found in stratum_rows(bench.kinds, done, name, side, leverage, days)
        ],
        crises=[
            found
            for policy in (wanted if whole and len(bench.entries.where) else ())
            for found in crisis_rows(
                bench.entries, grid(policy, bench.entries.where), policy.label, side, leverage
            )
        ],
        weekly=Trials(
            judged, bench.opens_ns[kept],
            np.stack([episode_returns(outcomes[name])[kept] for name in judged], axis=1)
            if judged else np.empty((kept.size, 0)),
        ),
    )  # fmt: skip


def _tell_paths(
    bench: Bench, settings: Settings, wanted: Sequence[Policy], rows: Sequence[FullRow]
) -> None:
    """Fill in what needs paths: episodes one after another are run again and recorded."""
    squeezed = squeezed_bars(bench.tape, settings.position.side)
    arguments = (bench.tape, bench.apart, settings, bench.tiers)
    naked = daily_returns(bt.walk_episodes(*arguments, static(0.0)))
    for policy, row in zip(wanted, rows, strict=True):
        run = bt.walk_episodes(*arguments, policy)
        row["effectiveness_days"] = saved_share(daily_returns(run), naked)
        legs = leg_correlations(run, bench.tape, settings, squeezed)
        row["corr_squeeze"], row["corr_calm"] = legs.squeeze, legs.calm


def contest_row(row: FullRow, family: Trace, episode_days: float) -> ContestRow:
    """Hold a policy against a family at the policy's own average hedge."""
    hedge = row["avg_hedge"]
    best: dict[Figure, float] = {figure: family.best(hedge, figure) for figure in FIGURES}
    mixture = family.safest(hedge)
    nan = float("nan")
    mixed: dict[Figure, float] = {
        figure: nan if mixture is None else family.of(mixture, figure) for figure in FIGURES
    }
    is_safer = row["liquidation_rate"] <= HALF * best["liquidation_rate"]
    return ContestRow(
        policy=row["policy"], family=family.family, side=row["side"], leverage=row["leverage"],
        episode_days=episode_days, avg_hedge=hedge,
        liquidation_rate=row["liquidation_rate"],
        family_liquidation_rate=best["liquidation_rate"],
        mean_return=row["mean_return"], family_mean_return=best["mean_return"],
        mixture_mean_return=mixed["mean_return"],
        cvar5=row["cvar5"], family_cvar5=best["cvar5"], mixture_cvar5=mixed["cvar5"],
        drawdown_mean=row["drawdown_mean"], family_drawdown_mean=best["drawdown_mean"],
        halves=is_safer and row["mean_return"] >= best["mean_return"]
        and row["cvar5"] >= best["cvar5"],
        halves_mixture=is_safer and row["mean_return"] >= mixed["mean_return"]
        and row["cvar5"] >= mixed["cvar5"],
    )  # fmt: skip


def weekly_of(cells: Sequence[Cell]) -> Trials:
    """Return what every policy made of each week, the mean over all sides and leverages."""
    first = cells[0].weekly
    return Trials(
        first.names, first.opens_ns, np.mean([cell.weekly.returns for cell in cells], axis=0)
    )
