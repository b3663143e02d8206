"""Kinds of market: a forecaster that is good on average may fail in one of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CALM_TO_WILD: Final = ("calm", "usual", "wild")
SESSIONS: Final = ("00-08 UTC", "08-16 UTC", "16-24 UTC")
LEAST_EVENTS: Final = 20
"""A stratum with fewer events of a side says nothing of it."""


def volatility_edges(features: Floats) -> Floats:
    """Return the terciles of slow volatility, ``(2,)``, of training.

    Shapes: `features` ``(frame, feature)``.
    """
    sigma = features[:, fv.LOG_SIGMA]
    return np.quantile(sigma[np.isfinite(sigma)], [1 / 3, 2 / 3])


def strata(features: Floats, end_ns: Ints, edges: Floats) -> dict[str, Bools]:
    """Return which frames belong to each stratum, ``(frame,)``; NaN belongs to none.

    Volatility (`edges` from `volatility_edges`) with the sign of the move of a day, the sign of
    funding, and the third of the UTC day in which the frame ends.
    """
    return kinds_of_market(
        features[:, fv.LOG_SIGMA], features[:, fv.INDEX["ret_1440m"]],
        features[:, fv.FUNDING_BPS], end_ns, edges,
    )  # fmt: skip


def kinds_of_market(
    volatility: Floats, move_of_a_day: Floats, funding: Floats, end_ns: Ints, edges: Floats
) -> dict[str, Bools]:
    """Return which moments belong to each kind of market, all ``(moment,)``; NaN to none.

    `edges` part calm from usual and usual from wild, in the units of `volatility`.
    """
    tercile = np.where(np.isfinite(volatility), np.searchsorted(edges, volatility), -1)
    masks = {
        f"{name}, {way}": (tercile == i) & moves
        for i, name in enumerate(CALM_TO_WILD)
        for way, moves in (("falling", move_of_a_day < 0.0), ("rising", move_of_a_day >= 0.0))
    }
    masks["longs pay"] = funding > 0.0
    masks["shorts pay"] = funding <= 0.0
    third = ((end_ns - 1) % NS_PER_DAY) * 3 // NS_PER_DAY
    return masks | {name: third == i for i, name in enumerate(SESSIONS)}
