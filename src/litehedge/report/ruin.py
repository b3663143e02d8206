"""Figures of the blow-up study: who is ruined, how soon, and what is left.

Lives of one world are not independent, so intervals draw whole worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import STATIC_GRID
from litehedge.blowup.lives import SIDES, Arm, crowd_mix, ruined_at
from litehedge.blowup.wrong import Wrong
from litehedge.report.blocks import CONFIDENCE, RESAMPLES, SEED
from litehedge.report.metrics import TAIL, Interval

Floats = NDArray[np.float64]
Lives = NDArray[np.void]

UNHEDGED: Final = "unhedged"
SMALLER: Final = "smaller"
AS_SAFE: Final = "as safe"
UNGUARDED: Final = "no guards"
GUARDED: Final = "guards"

ARMS: Final = {
    UNHEDGED: "the position as it is",
    SMALLER: "a position smaller from the start by the average hedge of the guarded arm, "
    "to the nearest 5 %; no hedge",
    AS_SAFE: "the largest position, in steps of 5 %, that is ruined no more often than the "
    "guarded arm; no hedge, and chosen knowing these worlds",
    UNGUARDED: "hedged by the policy, every limit opened",
    GUARDED: "hedged by the policy behind its limits",
}
WRONGS: Final = {Wrong.NOT: "right", Wrong.FLIPS: "flips", Wrong.STUCK: "stuck"}


class RuinRow(TypedDict):
    """Lives of one arm; amounts are shares of the wallet, means per life unless said otherwise."""

    arm: str
    forecaster: str
    side: str  # "both" in the mix
    leverage: float  # NaN in the mix
    lives: int
    ruin_rate: float
    ruin_low: float
    ruin_high: float
    lost_rate: float  # equity below a tenth of the wallet at some close
    median_equity: float
    mean_equity: float
    cvar5: float  # of the final equity: mean of the worst 5 %
    median_drawdown: float
    worst_drawdown: float
    hedge: float
    turnover: float
    costs: float
    funding: float
    refusals: float


class Difference(TypedDict):
    """The mix of one arm less the mix of another, in the same worlds, with 90 % intervals."""

    arm: str
    than: str
    forecaster: str
    ruin: float
    ruin_low: float
    ruin_high: float
    mean_equity: float
    equity_low: float
    equity_high: float


class Key(NamedTuple):
    """An arm, and how its forecaster has gone wrong."""

    arm: str
    wrong: Wrong


@dataclass(frozen=True, slots=True)
class RuinStudy:
    """What the study found.

    `alive` is the share of the mix that is not ruined at the end of day 0, 1, …, ``(day,)`` per
    key; no life is cut short otherwise, so that Kaplan and Meier's estimate is that plain share.
    """

    worlds: int
    days: int
    mix: dict[float, float]
    rows: list[RuinRow]
    differences: list[Difference]
    alive: dict[Key, Floats]

    def row(
        self, arm: str, wrong: Wrong, side: str = "both", leverage: float | None = None
    ) -> RuinRow:
        """Return one row; without a leverage that of the mix."""
        return next(
            r
            for r in self.rows
            if (r["arm"], r["forecaster"], r["side"]) == (arm, WRONGS[wrong], side)
            and (np.isnan(r["leverage"]) if leverage is None else r["leverage"] == leverage)
        )


def ruin_study(lives: Lives, days: int) -> RuinStudy:
    """Work out all figures of `LIFE` ``(life,)``, the same lives in every world."""
    leverages = np.unique(lives["leverage"]).tolist()
    mix = crowd_mix(leverages)
    groups = arms_of(lives)
    rows: list[RuinRow] = []
    for key, group in groups.items():
        rows.append(_row(key, group, _mix_weights(group, mix), "both", float("nan")))
        for leverage in leverages:
            for number, side in enumerate(SIDES):
                part = group[(group["leverage"] == leverage) & (group["side"] == number)]
                rows.append(_row(key, part, np.ones(part.size), side, leverage))
    pairs = [(Key(a, Wrong.NOT), Key(b, Wrong.NOT)) for a, b in (
        (GUARDED, UNHEDGED), (GUARDED, SMALLER), (GUARDED, AS_SAFE))]  # fmt: skip
    pairs += [(Key(GUARDED, wrong), Key(UNGUARDED, wrong)) for wrong in Wrong]
    pairs += [(Key(GUARDED, wrong), Key(UNHEDGED, Wrong.NOT)) for wrong in Wrong if wrong]
    return RuinStudy(
        worlds=np.unique(lives["seed"]).size,
        days=days,
        mix=mix,
        rows=rows,
        differences=[_difference(a, b, groups[a], groups[b], mix) for a, b in pairs],
        alive={key: _alive(group, _mix_weights(group, mix), days) for key, group in groups.items()},
    )


def arms_of(lives: Lives) -> dict[Key, Lives]:
    """Return the lives of every arm that is reported; each has the same traders in each world."""
    arms, wrongs = lives["arm"], lives["wrong"]
    static = lives[arms == Arm.STATIC]
    hedged = {
        Key(name, wrong): lives[(arms == arm) & (wrongs == wrong)]
        for wrong in Wrong
        for name, arm in ((UNGUARDED, Arm.UNGUARDED), (GUARDED, Arm.GUARDED))
    }
    guarded = hedged[Key(GUARDED, Wrong.NOT)]
    smaller, as_safe = [], []
    for leverage in np.unique(static["leverage"]):
        for side in range(len(SIDES)):
            these = static[(static["leverage"] == leverage) & (static["side"] == side)]
            aim = guarded[(guarded["leverage"] == leverage) & (guarded["side"] == side)]
            nearest = STATIC_GRID[np.abs(STATIC_GRID - aim["hedge"].mean()).argmin()]
            smaller.append(these[these["ratio"] == nearest])
            as_safe.append(these[these["ratio"] == _as_safe(these, aim)])
    return {
        Key(UNHEDGED, Wrong.NOT): static[static["ratio"] == 0.0],
        Key(SMALLER, Wrong.NOT): np.concatenate(smaller),
        Key(AS_SAFE, Wrong.NOT): np.concatenate(as_safe),
        **hedged,
    }


def _as_safe(static: Lives, aim: Lives) -> float:
    """Return the least ratio whose lives are ruined no more often than those of `aim`."""
    wanted = (ruined_at(aim) >= 0).mean()
    for ratio in STATIC_GRID.tolist():
        if (ruined_at(static[static["ratio"] == ratio]) >= 0).mean() <= wanted:
            return float(ratio)
    return 1.0


def _mix_weights(lives: Lives, mix: dict[float, float]) -> Floats:
    return np.array([mix[leverage] for leverage in lives["leverage"].tolist()])


def _row(key: Key, lives: Lives, weights: Floats, side: str, leverage: float) -> RuinRow:
    weights = weights / weights.sum()
    ruined = ruined_at(lives) >= 0
    rate = _per_world(lives, weights, ruined)
    interval = share_interval(rate)

    def mean(values: Floats) -> float:
        return float((weights * values).sum())

    return RuinRow(
        arm=key.arm,
        forecaster=WRONGS[key.wrong],
        side=side,
        leverage=leverage,
        lives=int(lives.size),
        ruin_rate=float(rate.mean()),
        ruin_low=interval.low,
        ruin_high=interval.high,
        lost_rate=float(weights[lives["poor_at"] >= 0].sum()),
        median_equity=_median(lives["equity"], weights),
        mean_equity=mean(lives["equity"]),
        cvar5=cvar5(lives["equity"], weights),
        median_drawdown=_median(lives["drawdown"], weights),
        worst_drawdown=float(lives["drawdown"].max()),
        hedge=mean(lives["hedge"]),
        turnover=mean(lives["turnover"]),
        costs=mean(lives["costs"]),
        funding=mean(lives["funding"]),
        refusals=mean(lives["refusals"]),
    )


def _median(values: Floats, weights: Floats) -> float:
    """Return the weighted median: between the two middle values when half lies on each side."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    lower = int(np.searchsorted(below, 0.5 - 1e-12))
    upper = int(np.searchsorted(below, 0.5 + 1e-12))
    return float(0.5 * (values[order][lower] + values[order][min(upper, values.size - 1)]))


def cvar5(values: Floats, weights: Floats) -> float:
    """Return the mean of the worst 5 % by weight; the value at the edge counts in part."""
    order = np.argsort(values, kind="stable")
    until = np.minimum(np.cumsum(weights[order]), TAIL)
    parts = np.diff(until, prepend=0.0)
    return float((parts * values[order]).sum() / parts.sum())


def _per_world(lives: Lives, weights: Floats, values: NDArray[Any]) -> Floats:
    """Return the weighted mean of each world, ``(world,)``; every world has the same weight."""
    _, world = np.unique(lives["seed"], return_inverse=True)
    sums = np.bincount(world, weights=weights * values)
    return np.asarray(sums / np.bincount(world, weights=weights))


def bootstrap(per_world: Floats) -> Interval:
    """Return the interval of a mean over worlds, of which each is drawn whole."""
    drawn = np.random.default_rng(SEED).integers(0, per_world.size, (RESAMPLES, per_world.size))
    means = per_world[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0])
    return Interval(float(low), float(high))


def unseen(worlds: int) -> float:
    """Return the bound of a share that was not seen in so many worlds (Clopper and Pearson)."""
    return float(1.0 - ((1.0 - CONFIDENCE) / 2.0) ** (1.0 / worlds))


def share_interval(per_world: Floats) -> Interval:
    """Return the interval of a share; where no or all lives died, as if of one life per world."""
    if not per_world.any():
        return Interval(0.0, unseen(per_world.size))
    if (per_world == 1.0).all():
        return Interval(1.0 - unseen(per_world.size), 1.0)
    return bootstrap(per_world)


def _difference(a: Key, b: Key, one: Lives, other: Lives, mix: dict[float, float]) -> Difference:
    def between(what: str) -> Floats:
        sides = [
            _per_world(
                lives, _mix_weights(lives, mix),
                lives["equity"] if what == "equity" else ruined_at(lives) >= 0,
            )
            for lives in (one, other)
        ]  # fmt: skip
        return sides[0] - sides[1]

    ruin, equity = between("ruin"), between("equity")
    bound = unseen(ruin.size)
    ruin_interval = bootstrap(ruin) if ruin.any() else Interval(-bound, bound)
    equity_interval = bootstrap(equity)
    return Difference(
        arm=a.arm, than=b.arm, forecaster=WRONGS[a.wrong],
        ruin=float(ruin.mean()), ruin_low=ruin_interval.low, ruin_high=ruin_interval.high,
        mean_equity=float(equity.mean()), equity_low=equity_interval.low,
        equity_high=equity_interval.high,
    )  # fmt: skip


def _alive(lives: Lives, weights: Floats, days: int) -> Floats:
    ends = ruined_at(lives)
    minutes = 1440 * np.arange(days + 1)
    is_alive = (ends < 0) | (ends >= minutes[:, np.newaxis])
    return np.asarray((is_alive * weights).sum(axis=1) / weights.sum())
