"""What a venue's gateway makes of an order: how late it arrives, whether it is taken, what is said.

Load comes from the volatility of the world. Under load, requests queue: most are some times later
than usual, a few many times. A venue that is too busy refuses what does not reduce (Binance's
-1008), and now and then it does not say what it did (503, "execution status unknown"): then the
order may be at work or not, and only a query tells. A venue that is down does either of the last
two with everything; what it took meanwhile is at work when it is back.

The shares lie within what traders reported of 2025-10-10: 5 to 20 % unknown, 10 to 50 % busy, 5 to
50 times the latency, up to 10 s. They are what a stress test assumes, not measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from litehedge.sim.market.chance import normals, start_second, uniform
from litehedge.sim.market.recording import Second

EASY: Final = 4.0
FULL: Final = 20.0
"""Volatility, in multiples of the usual, at which load begins, and at which it is complete. A day
of usual market stays below 3, a fall by 6 % peaks near 16, the crash scenario stays at 45."""

MOST_BUSY: Final = 0.5  # of orders that do not reduce, refused at full load
MOST_UNKNOWN: Final = 0.2  # of all orders, without an answer at full load or when down
TAKEN_UNKNOWN: Final = 0.5  # of these, that are at work all the same
SLOWER: Final = 9.0  # further latencies that an order waits at full load
USUAL_SPREAD: Final = 0.3  # sd of log latency
TAIL: Final = 1.5  # Pareto exponent of latency at full load
LONGEST_NS: Final = 10_000_000_000  # then a gateway gives up waiting
GATEWAY_SEED: Final = 0x2545F4914F6CDD1D

BUSY: Final = "the venue is too busy"
DOWN: Final = "the venue is down"
ONLY_REDUCING: Final = "the venue takes only orders that reduce"


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of an order, and what is said of it.

    Without `is_told` the sender learns nothing. `why` says why it is not taken. An order that is
    taken reaches the book after `latency_ns`. With `raises_only` one that reduces would be taken.
    """

    is_taken: bool
    is_told: bool
    why: str
    latency_ns: int
    raises_only: bool = False


def load_of(stress: float) -> float:
    """Return the load, 0 to 1, at a volatility in multiples of the usual."""
    return min(1.0, max(0.0, (stress - EASY) / (FULL - EASY)))


def reply(
    seed: int,
    second: int,
    number: int,
    stress: float,
    *,
    is_down: bool,
    only_reducing: bool,
    reduce_only: bool,
    latency_ns: int,
) -> Reply:
    """Decide over an order.

    Parameters
    ----------
    seed, second, number
        World, time, and the order's number: chance is a function of these, so that asking twice
        gives the same answer and the market's own chance is not touched.
    stress
        Volatility in multiples of the usual.
    is_down, only_reducing
        Whether the venue takes no orders now, or only those that reduce.
    reduce_only
        Whether this one reduces its leg.
    latency_ns
        The median latency in a usual market.
    """
    chance = np.empty(1, np.uint64)
    start_second(chance, seed ^ GATEWAY_SEED ^ (number << 32), second)
    luck, _ = normals(chance)
    tail, busy, unknown, taken = (uniform(chance) for _ in range(4))
    load = load_of(stress)
    late = float(np.exp(USUAL_SPREAD * luck)) * (1.0 + SLOWER * load) * tail ** (-load / TAIL)
    wait_ns = min(int(latency_ns * late), max(LONGEST_NS, latency_ns))
    if unknown < MOST_UNKNOWN * (1.0 if is_down else load):
        refused = only_reducing and not reduce_only
        return Reply(taken < TAKEN_UNKNOWN and not refused, False, "", wait_ns)
    if is_down:
        return Reply(False, True, DOWN, wait_ns)
    if only_reducing and not reduce_only:
        return Reply(False, True, ONLY_REDUCING, wait_ns, raises_only=True)
    if busy < MOST_BUSY * load and not reduce_only:
        return Reply(False, True, BUSY, wait_ns, raises_only=True)
    return Reply(True, True, "", wait_ns)


class Market(Protocol):
    """What a venue needs of a market that reacts to its orders."""

    def join(self, trader: Callable[[Second], None]) -> None:
        """Show the venue every second, as it truly is."""

    def trade(self, usdt: float) -> None:
        """Let an order eat the book; positive buys."""

    @property
    def is_down(self) -> bool:
        """Whether requests get no answer now."""
        ...

    def reply(self, number: int, *, reduce_only: bool, latency_ns: int) -> Reply:
        """Return what becomes of an order that is sent now."""
        ...

    def deleverages(self, second: Second, qty_ltc: float, rank: float) -> float:
        """Return how much of a winning leg is deleveraged in this second, unsigned LTC."""
        ...
