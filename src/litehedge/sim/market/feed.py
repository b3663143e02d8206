"""The record of a world as the events that a venue's feeds would have sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.market import events as ev
from litehedge.sim.market.shocks import Shock
from litehedge.sim.market.state import World
from litehedge.sim.market.step import NO_SHOCKS, run_world
from litehedge.sim.market.telling import Teller

_NOTHING_HAPPENS: Final = (
    "buy_usdt", "sell_usdt", "liquidated_long_usdt", "liquidated_short_usdt",
    "reported_long_usdt", "reported_short_usdt", "stops_usdt", "deleveraged_usdt",
    "whales_in_usdt", "whales_out_usdt",
)  # fmt: skip


def events_of(
    atoms: NDArray[np.void], begin_s: int, atom_s: int, seed: int
) -> Iterator[ev.MarketEvent]:
    """Yield the events of consecutive atoms, in the order in which they became known.

    Parameters
    ----------
    begin_s
        When the first atom begins, in seconds since 1970.
    seed
        Of the world: with it go latencies and gaps.
    """
    return Teller(seed, atom_s).events(atoms, begin_s)


def tell(
    record: NDArray[np.void], begin_s: int, atom_s: int, shocks: NDArray[np.void],
    before: NDArray[np.void] | None = None,
) -> NDArray[np.void]:  # fmt: skip
    """Return the record as feeds tell it: frozen while they are frozen, quotes crossed.

    A frozen feed repeats its last value, without trades or liquidations; `before` ``(1,)`` is the
    atom before the first one, if it is known. Without such shocks it is the record itself.
    """
    kinds = set(shocks["kind"].tolist())
    if not kinds & {Shock.FREEZE, Shock.CROSS}:
        return record
    told = record.copy()
    ends_s = begin_s + atom_s * np.arange(1, record.size + 1)
    for shock in shocks:
        inside = (ends_s > shock["start_s"]) & (ends_s <= shock["stop_s"])
        if shock["kind"] == Shock.CROSS:
            told["bid"][inside] = told["ask"][inside] * (1.0 + shock["size"])
        elif shock["kind"] == Shock.FREEZE and inside.any():
            first = int(np.flatnonzero(inside)[0])
            last = told[first - 1] if first > 0 else (before if before is not None else told)[0]
            frozen = last.copy()
            for name in _NOTHING_HAPPENS:
                frozen[name] = 0.0
            for name in ("open", "high", "low"):
                frozen[name] = frozen["close"]
            told[inside] = frozen
            told["outage"][inside] = record["outage"][inside]
    return told


class LiveMarket:
    """A world that runs while somebody trades in it.

    Parameters
    ----------
    world
        Taken over; it begins at a whole atom.
    """

    def __init__(self, world: World, atom_s: int = 5, shocks: NDArray[np.void] = NO_SHOCKS) -> None:
        self.world = world
        self.atom_s = atom_s
        self._shocks = shocks
        self._last: NDArray[np.void] | None = None
        self._teller = Teller(world.seed, atom_s)
        self._own_usdt = np.zeros(atom_s)

    def trade(self, usdt: float) -> None:
        """Let an order of ours eat the book in the next second; positive buys."""
        self._own_usdt[0] += usdt

    def refuses(self, *, reduce_only: bool) -> str:
        """Return why the venue takes no such order now; empty when it does."""
        now = self.world.second
        active = self._shocks[(self._shocks["start_s"] <= now) & (now < self._shocks["stop_s"])][
            "kind"
        ]
        if self.world.state["outage_until"][0] > now or Shock.OUTAGE in active:
            return "the venue is down"
        if Shock.REFUSE in active and not reduce_only:
            return "the venue takes only orders that reduce"
        return ""

    def events(self, atoms: int) -> Iterator[ev.MarketEvent]:
        """Yield the events of so many atoms, each made when it is asked for."""
        for _ in range(atoms):
            begin_s = self.world.second
            record = run_world(
                self.world, self.atom_s, atom_s=self.atom_s, shocks=self._shocks,
                own_usdt=self._own_usdt,
            )  # fmt: skip
            self._own_usdt[:] = 0.0
            told = tell(record, begin_s, self.atom_s, self._shocks, self._last)
            self._last = told
            yield from self._teller.events(told, begin_s)
