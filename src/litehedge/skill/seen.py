"""Simulated worlds as they can be seen from outside, minute by minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.vector import FeatureStream
from litehedge.market.frames import Frames
from litehedge.sim.market.parameters import REGIME_NAMES, Parameters
from litehedge.sim.market.telling import Teller
from litehedge.sim.oracle.truth import live_minutes
from litehedge.sim.study import MINUTE_S, warmed_world
from litehedge.squeeze.labels import catalogue
from litehedge.squeeze.targets import Targets, targets
from litehedge.store.worlds import events_of_world
from litehedge.units import MINUTES_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HIDDEN: Final = ("longs near death", "shorts near death", "whales' plans", *REGIME_NAMES)
"""As shares of open interest; regimes as 0 or 1."""
WARM_MIN: Final = 2 * int(MINUTES_PER_DAY)
"""Frames before this are not asked about: their features are still cold."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One world, and beside what can be seen its hidden state.

    Shapes: `record` `ATOM` ``(minute,)``, with the minutes that the last instant needs after it;
    `features` ``(frame, feature)``; `hidden` ``(frame, len(HIDDEN))``; `severity_bps`
    ``(squeeze,)``.
    """

    parameters: Parameters
    seed: int
    begin_s: int
    record: NDArray[np.void]
    frames: Frames
    features: Floats
    hidden: Floats
    targets: Targets
    severity_bps: Floats

    def follows(self, minutes: float) -> NDArray[np.bool_]:
        """Tell whether the next squeeze is of that side and that soon, ``(frame, side)``."""
        t = self.targets
        until = np.where(t.has_onset & t.at_risk, t.to_onset_min, np.inf)
        soon: NDArray[np.bool_] = (until <= minutes) & (until <= until.min(axis=1, keepdims=True))
        return soon

    @property
    def minute(self) -> Ints:
        """Number of minutes that are over at the end of each frame, ``(frame,)``."""
        over: Ints = (self.frames.end_ns // NS_PER_SECOND - self.begin_s) // 60
        return over


def see(parameters: Parameters, seed: int, begin_s: int, days: int, ahead_min: int = 0) -> Seen:
    """Let a world live so many days and look at it; `ahead_min` more minutes are only lived."""
    world = warmed_world(parameters, seed, begin_s)
    minutes = days * int(MINUTES_PER_DAY)
    record = live_minutes(world, minutes + ahead_min)
    lived = record[:minutes]
    told = Teller(seed, MINUTE_S).tell(lived, begin_s)
    events, _ = events_of_world(lived, begin_s, MINUTE_S, told, float(record["btc"][0]))
    frames = events.frames()
    squeezes = catalogue(frames)
    over = (frames.end_ns // NS_PER_SECOND - begin_s) // 60
    return Seen(
        parameters, seed, begin_s, record, frames, FeatureStream(NS_PER_MINUTE).batch(frames),
        hidden_of(record[over - 1]),
        targets(frames, squeezes), np.array([q.severity_bps for q in squeezes]),
    )  # fmt: skip


def hidden_of(record: NDArray[np.void]) -> Floats:
    """Return what nobody in the world can see, ``(minute, len(HIDDEN))``."""
    opened = record["open_interest_ltc"] * record["mark"]
    regime = record["hidden_regime"].astype(np.int64)
    return np.concatenate(
        (
            np.log(1e-4 + record["hidden_long_usdt"] / opened)[:, np.newaxis],
            np.log(1e-4 + record["hidden_short_usdt"] / opened)[:, np.newaxis],
            (record["hidden_whales_usdt"] / opened)[:, np.newaxis],
            np.eye(len(REGIME_NAMES))[regime],
        ),
        axis=1,
    )


STRATA: Final = ((0.05, 0.5), (0.25, 0.3), (1.0, 0.2))
"""Of the frames down to this share from the most alarming, so much of what is drawn."""


def draw(
    seen: Seen, alarm: Floats, wanted: int, chance: np.random.Generator
) -> tuple[Ints, Floats]:
    """Draw frames, most of them where a squeeze is likely: there forecasters differ.

    Parameters
    ----------
    alarm
        Any number that rises with the probability of a squeeze, ``(frame,)``; frames where it is
        NaN, and those that are not yet warm, are not drawn.

    Returns
    -------
    tuple
        Numbers of frames, rising, and for how many frames each of them stands, ``(drawn,)``.
    """
    warm = np.flatnonzero(np.isfinite(alarm) & (np.arange(len(seen.frames)) >= WARM_MIN))
    ranked = warm[np.argsort(-alarm[warm], kind="stable")]
    drawn, weights = [], []
    begun = 0
    for until, share in STRATA:
        members = ranked[begun : int(until * ranked.size)]
        begun = int(until * ranked.size)
        picked = chance.choice(members, min(int(share * wanted), members.size), replace=False)
        drawn.append(picked)
        weights.append(np.full(picked.size, members.size / max(picked.size, 1)))
    order = np.argsort(np.concatenate(drawn))
    return np.concatenate(drawn)[order], np.concatenate(weights)[order]
