"""All baselines, in the order of what they know."""

from __future__ import annotations

from litehedge.model.baselines.boosted import BoostedHazard
from litehedge.model.baselines.garch import Ewma, Garch
from litehedge.model.baselines.hawkes import Hawkes
from litehedge.model.baselines.logistic_hazard import LogisticHazard
from litehedge.model.baselines.part import Baseline
from litehedge.model.baselines.scored import BaseRate, Rule, Volatility


def every_baseline(seed: int = 0) -> list[Baseline]:
    """Return the baselines that the network has to beat, not yet fitted."""
    return [
        BaseRate(), Rule(), Hawkes(), Volatility(), Garch(), Ewma(), LogisticHazard(),
        BoostedHazard(seed),
    ]  # fmt: skip
