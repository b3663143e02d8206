"""Families of policies, each traced over a parameter, and what they reach at any average hedge.

One point of a rule says little: turn a threshold and it hedges more and loses less. So a rule is
traced as a whole, and a policy is held against what the rule reaches *at the policy's own average
hedge*. Between two members lies their mixture: guard a share of all positions with one and the
rest with the other. The best mixtures form a convex envelope, and every figure has its own: the
rule may choose other members for its liquidations than for its mean. That is more than any one
rule could do, so it is the most favourable to the family.

Liquidation rate, mean and average hedge of a mixture lie on the straight line between the members;
so does the mean of the largest falls. Its CVaR lies below the line, which again favours the family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import STATIC_GRID
from litehedge.config import Settings
from litehedge.hedge.plugin import ENTER, RELEASE
from litehedge.hedge.policies import Policy, policies, static
from litehedge.report.metrics import cvar5, episode_hedge, episode_returns

Floats = NDArray[np.float64]

Figure = Literal["liquidation_rate", "mean_return", "cvar5", "drawdown_mean"]
FIGURES: Final[dict[Figure, float]] = {
    "liquidation_rate": 1.0, "mean_return": -1.0, "cvar5": -1.0, "drawdown_mean": 1.0,
}  # fmt: skip
"""What families are traced in: +1 where less is better, -1 where more is."""

STATIC: Final = "static"
RULE: Final = "margin-vol"
PLUGIN: Final = "plugin"
_VOLATILITIES: Final = (0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.009)
_DISTANCES: Final = (0.02, 0.035, 0.05, 0.07, 0.10, 0.14, 0.20)
_ENTERS: Final = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LIKELIEST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Family:
    """Policies that differ in a parameter, in its order."""

    name: str
    about: str
    members: Sequence[Policy]


def with_parameters(policy: Policy, name: str, changed: dict[int, float]) -> Policy:
    """Return a policy with some parameters changed, under another name."""
    parameters = policy.parameters.copy()
    for place, value in changed.items():
        parameters[place] = value
    return replace(policy, name=name, parameters=parameters)


def static_family() -> Family:
    """Return the static hedges at `STATIC_GRID`: positions that are smaller from the start."""
    return Family(
        STATIC, "a smaller position, at no cost", [static(h) for h in STATIC_GRID.tolist()]
    )


def families(settings: Settings) -> list[Family]:
    """Return the margin-aware volatility rule and the plug-in, traced.

    The rule: entry volatility and distance around its own (0.004 and 0.10), released below 0.0008
    as it always is; its two limits, which never and always hedge; and the one that was fitted.
    The plug-in: its two probabilities from a sixteenth to 32 times what `settings` say.
    """
    known = policies(settings)
    rule, fitted, plugin = known[RULE], known["margin-vol-safe"], known[PLUGIN]
    rules = [
        with_parameters(rule, f"on above {on:g}, distance under {near:g}", {0: on, 2: near})
        for on in _VOLATILITIES
        for near in _DISTANCES
    ]
    limits = [
        with_parameters(rule, "never", {0: np.inf}),
        with_parameters(rule, "always", {0: 0.0, 1: 0.0, 2: 1.0}),
    ]
    enter, release = float(plugin.parameters[ENTER]), float(plugin.parameters[RELEASE])
    plugins = [
        with_parameters(
            plugin, f"enter {enter * k:g}", {ENTER: enter * k, RELEASE: release * k}
        )
        for k in _ENTERS
        if enter * k <= _LIKELIEST
    ]  # fmt: skip
    return [
        Family(
            RULE, "entry volatility and distance around (0.004, 0.10), release at 0.0008; with "
            "its limits, and the fitted one", [limits[0], *rules, fitted, limits[1]],
        ),
        Family(PLUGIN, "both probabilities together", plugins),
    ]  # fmt: skip


# --- what a family reaches --------------------------------------------------------------------


class Mixture(NamedTuple):
    """Two members and the weight of the second: ``hedge`` lies between theirs."""

    one: int
    other: int
    weight: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A family measured over the same episodes.

    Shapes: `hedge` ``(member,)``, the average hedge; `figures` ``(member,)`` each.
    """

    family: str
    members: Sequence[str]
    hedge: Floats
    figures: dict[Figure, Floats]

    def along(self, hedge: float, figure: Figure) -> float:
        """Return a figure between neighbours in the order of the hedge, NaN outside of them."""
        order = np.argsort(self.hedge, kind="stable")
        return _between(hedge, self.hedge[order], self.figures[figure][order])

    def best(self, hedge: float, figure: Figure) -> float:
        """Return a figure of the best mixture with this average hedge, NaN where there is none."""
        corners = self._corners(figure)
        return _between(hedge, self.hedge[corners], self.figures[figure][corners])

    def safest(self, hedge: float) -> Mixture | None:
        """Return the mixture with the fewest liquidations, None where there is none."""
        corners = self._corners("liquidation_rate")
        at = self.hedge[corners]
        if not at[0] <= hedge <= at[-1]:
            return None
        if corners.size == 1:
            return Mixture(int(corners[0]), int(corners[0]), 0.0)
        i = min(int(np.searchsorted(at, hedge, side="right")) - 1, corners.size - 2)
        return Mixture(
            int(corners[i]), int(corners[i + 1]), float((hedge - at[i]) / (at[i + 1] - at[i]))
        )

    def of(self, mixture: Mixture, figure: Figure) -> float:
        """Return a figure of a mixture."""
        values = self.figures[figure]
        return float(
            (1.0 - mixture.weight) * values[mixture.one] + mixture.weight * values[mixture.other]
        )

    def _corners(self, figure: Figure) -> NDArray[np.int64]:
        return envelope(self.hedge, FIGURES[figure] * self.figures[figure])


def _between(at: float, x: Floats, y: Floats) -> float:
    if x.size == 0 or not x[0] <= at <= x[-1]:
        return float("nan")
    return float(np.interp(at, x, y))


def envelope(x: Floats, y: Floats) -> NDArray[np.int64]:
    """Return the corners of the lower convex envelope of points, in the order of `x`.

    Points on its edges count as corners, so that neighbours are near each other; those that are
    not numbers are left out. Andrew's monotone chain. Shapes: ``(point,)`` both.
    """
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    order = known[np.lexsort((y[known], x[known]))]
    corners: list[int] = []
    for i in order.tolist():
        if corners and x[i] == x[corners[-1]]:
            continue  # a higher point at the same place
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (x[b] - x[a]) * (y[i] - y[a]) - (y[b] - y[a]) * (x[i] - x[a]) >= 0.0:
                break
            corners.pop()
        corners.append(i)
    return np.array(corners, dtype=np.int64)


def trace(family: Family, outcomes: Sequence[NDArray[np.void]]) -> Trace:
    """Measure a family from the episodes of its members, in their order."""
    returns = [episode_returns(one) for one in outcomes]
    return Trace(
        family.name,
        [member.name for member in family.members],
        np.array([episode_hedge(one).mean() for one in outcomes]),
        {
            "liquidation_rate": np.array([(one["liquidations"] > 0).mean() for one in outcomes]),
            "mean_return": np.array([one.mean() for one in returns]),
            "cvar5": np.array([cvar5(one) for one in returns]),
            "drawdown_mean": np.array([one["drawdown"].mean() for one in outcomes]),
        },
    )
