"""Differences of policies in the same draws: what one week's luck gives both is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from litehedge.report.blocks import CONFIDENCE, DayBlocks
from litehedge.report.metrics import TAIL, cvar5, episode_returns

Floats = NDArray[np.float64]

Measure = Literal["liquidation_rate", "mean_return", "cvar5", "cost"]
MEASURES: Final[tuple[Measure, ...]] = ("liquidation_rate", "mean_return", "cvar5", "cost")
_PART: Final = round(1.0 / TAIL)


class Gap(NamedTuple):
    """A difference with its 90 % interval; NaN ends where there is no bootstrap."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0.0 or self.high < 0.0


class PairRow(TypedDict):
    """One policy less another, on one side and leverage."""

    policy: str
    than: str
    side: str
    leverage: float
    episode_days: float
    liquidation_rate: Gap
    mean_return: Gap
    cvar5: Gap
    cost: Gap


@dataclass(frozen=True, slots=True)
class Drawn:
    """The measures of one policy, and each in every draw, ``(draw,)``; None without blocks."""

    values: dict[Measure, float]
    draws: dict[Measure, Floats] | None
    unseen: float


def costs_of(outcomes: NDArray[np.void]) -> Floats:
    """Return everything that was paid in each episode, in wallets, ``(episode,)``."""
    paid = sum(outcomes[name] for name in ("fees", "slippage", "funding", "clearance"))
    return np.asarray(paid / outcomes["wallet"])


def drawn_measures(outcomes: NDArray[np.void], blocks: DayBlocks | None) -> Drawn:
    """Measure one policy in every draw: policies with the same `blocks` are paired."""
    returns = episode_returns(outcomes)
    died = (outcomes["liquidations"] > 0).astype(np.float64)
    costs = costs_of(outcomes)
    values: dict[Measure, float] = {
        "liquidation_rate": float(died.mean()),
        "mean_return": float(returns.mean()),
        "cvar5": cvar5(returns),
        "cost": float(costs.mean()),
    }
    if blocks is None:
        return Drawn(values, None, float("nan"))
    draws: dict[Measure, Floats] = {
        "liquidation_rate": blocks.means(died),
        "mean_return": blocks.means(returns),
        "cvar5": blocks.worst_means(returns, _PART),
        "cost": blocks.means(costs),
    }
    return Drawn(values, draws, blocks.unseen)


def gap(one: Drawn, other: Drawn, measure: Measure) -> Gap:
    """Return one less the other, draw by draw.

    Where neither was ever liquidated the difference is 0 in every draw, but not therefore in the
    world: it is bounded as a share of which none was seen.
    """
    value = one.values[measure] - other.values[measure]
    if one is other:
        return Gap(0.0, 0.0, 0.0)
    if one.draws is None or other.draws is None:
        return Gap(value, float("nan"), float("nan"))
    apart = one.draws[measure] - other.draws[measure]
    if measure == "liquidation_rate" and one.values[measure] == other.values[measure] == 0.0:
        return Gap(value, -one.unseen, one.unseen)
    low, high = np.quantile(apart, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0])
    return Gap(value, float(low), float(high))


def pair_row(
    names: tuple[str, str], one: Drawn, other: Drawn, side: str, leverage: float,
    episode_days: float,
) -> PairRow:  # fmt: skip
    """Compare two policies."""
    return PairRow(
        policy=names[0], than=names[1], side=side, leverage=leverage, episode_days=episode_days,
        liquidation_rate=gap(one, other, "liquidation_rate"),
        mean_return=gap(one, other, "mean_return"),
        cvar5=gap(one, other, "cvar5"),
        cost=gap(one, other, "cost"),
    )  # fmt: skip


def pair_rows(
    drawn: Mapping[str, Drawn], side: str, leverage: float, episode_days: float
) -> list[PairRow]:
    """Compare every policy with every one before it."""
    return [
        pair_row((later, earlier), drawn[later], drawn[earlier], side, leverage, episode_days)
        for earlier, later in combinations(drawn, 2)
    ]
