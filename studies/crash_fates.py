"""What may become of an account in a crash, why, and what shares of many of them say.

Nothing here runs a market; see `crash_accounts` for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from litehedge.market import events as ev
from litehedge.sim.market.gateway import BUSY, DOWN, ONLY_REDUCING

MONDAY_S: Final = 1_767_571_200
"""2026-01-05. Worlds begin at a random minute of the week after it."""

PRE_ROLL_S: Final = 86_400 + 120
"""Features warm up on so much before a position is opened, as in ``litehedge demo``."""

LEAST_LEAD_S: Final = 2 * 3_600
MOST_LEAD_S: Final = 24 * 3_600
PLUNGE_S: Final = 25 * 60
"""From the first news to the plunge, in `crash-2025-10`; there the venue begins to refuse."""

AFTER_S: Final = 4 * 3_600
"""Accounts are watched for so long after the first news. The scenario's last shock ends before."""

Z90: Final = 1.6448536269514722
DRAWS: Final = 4_000


class Timing(NamedTuple):
    """When a world begins, positions open, and the first news come; seconds since 1970."""

    begins_s: int
    opens_s: int
    crash_s: int


class Arm(NamedTuple):
    """What an owner does: a policy behind the default limits, or an operator.

    `acts_s` is an operator's: seconds from the first news to the moment in which the whole position
    is hedged, minus infinity at the opening. `free_ratio` is a position that is smaller from the
    start.
    """

    name: str
    location: str = "same_account"
    policy: str = "unhedged"
    free_ratio: float = 0.0
    acts_s: float | None = None


AT_OPENING: Final = float("-inf")
UNHEDGED: Final = Arm("unhedged")
PERFECT: Final = "operator, at the opening"


@dataclass
class Fate:
    """What became of an account. Seconds count from the first news."""

    seed: int
    arm: str
    location: str
    side: str
    leverage: float
    died_s: float | None = None  # first forced closing of any part, None for never
    why: str = ""  # of a death
    ratio_at_news: float = 0.0
    ratio_at_plunge: float = 0.0
    ratio_at_death: float = 0.0
    equity: float = 0.0  # at the end, share of the wallet
    fall: float = 0.0  # of the mark over the watched time, from the opening to the lowest
    orders: int = 0  # since the first news, this and the following
    refused: int = 0
    unanswered: int = 0
    expired: int = 0
    own_limits: int = 0
    down_s: int = 0  # the venue was down
    hedge_deleveraged: bool = False
    position_deleveraged: bool = False


def timing(seed: int) -> Timing:
    """Draw when things happen in the world of a seed."""
    chance = np.random.default_rng(seed)  # noqa: TID251, seeded
    begins_s = MONDAY_S + 60 * int(chance.integers(0, 7 * 1_440))
    lead_s = 60 * int(chance.integers(LEAST_LEAD_S // 60, MOST_LEAD_S // 60 + 1))
    opens_s = begins_s + PRE_ROLL_S
    return Timing(begins_s, opens_s, opens_s + lead_s)


# --- why an account died ------------------------------------------------------------------------

REFUSALS: Final = frozenset({BUSY, DOWN, ONLY_REDUCING})
CANCELLED: Final = "cancelled"


def word_of(event: ev.AnyEvent, before: str) -> str:
    """Return what the last word on protection is after an account event; `before` if no other."""
    if isinstance(event, ev.OrderRejected):
        if event.reason == DOWN:
            return "venue down"
        # A query's answer that nothing arrived is the end of an order that was never answered.
        return "refused" if event.reason in REFUSALS else before
    if isinstance(event, ev.OrderUnknown):
        return "no answer"
    if isinstance(event, ev.OrderExpired):
        return before if event.reason == CANCELLED else "book or collar"
    if isinstance(event, ev.OrderAccepted):
        return "on its way"
    if isinstance(event, ev.OrderFilled):
        return "hedged too little"
    return before


def cause(died_s: float, last: str, *, hedge_deleveraged: bool) -> str:
    """Return in a word what a death has in common with others.

    `last` is the last word of `word_of` before it; deleveraging of the hedge outranks it.
    """
    if died_s < 0.0:
        return "before the crash"
    return "hedge deleveraged" if hedge_deleveraged else last


# --- shares -------------------------------------------------------------------------------------


class Share(NamedTuple):
    """A share of accounts with its 90 % interval, and how many accounts it is of."""

    value: float
    low: float
    high: float
    accounts: int


def wilson(hits: float, trials: int) -> tuple[float, float]:
    """Return the 90 % interval of a share of independent trials (Wilson 1927)."""
    share, square = hits / trials, Z90 * Z90
    middle = share + square / (2 * trials)
    reach = Z90 * sqrt(share * (1.0 - share) / trials + square / (4.0 * trials * trials))
    scale = 1.0 + square / trials
    low, high = (middle - reach) / scale, (middle + reach) / scale
    # The share itself lies inside, whatever rounding says.
    return max(0.0, min(share, low)), min(1.0, max(share, high))


def share_of(fates: Sequence[Fate], is_hit: Callable[[Fate], bool]) -> Share:
    """Return the share of accounts that are hits; seeds are the unit of its interval.

    Accounts of one world share its market: whole seeds are drawn again (percentile bootstrap).
    Where no seed differs from another that says nothing, and each seed counts as one trial.

    Returns
    -------
    Share
        NaN without accounts.
    """
    seeds = sorted({fate.seed for fate in fates})
    if not seeds:
        nan = float("nan")
        return Share(nan, nan, nan, 0)
    place = {seed: i for i, seed in enumerate(seeds)}
    counts = np.zeros((2, len(seeds)))
    for fate in fates:
        counts[0, place[fate.seed]] += is_hit(fate)
        counts[1, place[fate.seed]] += 1.0
    value = float(counts[0].sum() / counts[1].sum())
    by_seed = counts[0] / counts[1]
    if np.all(by_seed == by_seed[0]):
        return Share(value, *wilson(value * len(seeds), len(seeds)), len(fates))
    chance = np.random.default_rng(0)  # noqa: TID251, a seeded bootstrap
    drawn = chance.integers(0, len(seeds), (DRAWS, len(seeds)))
    shares = counts[0][drawn].sum(axis=1) / counts[1][drawn].sum(axis=1)
    low, high = np.quantile(shares, (0.05, 0.95))
    return Share(value, float(low), float(high), len(fates))


def could_be_kept(fates: Sequence[Fate]) -> set[tuple[int, str, float]]:
    """Return the (seed, side, leverage) of the accounts that a perfect operator kept.

    Perfect are those who act at the opening; one of them is enough, wherever the hedge lives.
    """
    return {
        (fate.seed, fate.side, fate.leverage)
        for fate in fates
        if fate.arm == PERFECT and fate.died_s is None
    }
