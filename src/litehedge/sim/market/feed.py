"""The record of a world as the events that a venue's feeds would have sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.market import events as ev
from litehedge.sim.market.book import usual_variance
from litehedge.sim.market.forced import winners_ahead
from litehedge.sim.market.gateway import Reply, reply
from litehedge.sim.market.recording import ATOM, Second
from litehedge.sim.market.shocks import Shock
from litehedge.sim.market.state import LONGS, SHORTS, World
from litehedge.sim.market.step import NO_SHOCKS, run_second
from litehedge.sim.market.telling import Teller

WAVE_S: Final = 3_600
"""A wave of deleveraging ends when it paused for so long."""

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

    It keeps what happens apart from what feeds tell. Whoever joined is shown the market as it is
    at the end of each second, and may trade there: that moves the price of the second after.
    `events` tells feeds of whole atoms, frozen or crossed as the shocks say.

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
        self._own_usdt = 0.0
        self._traders: list[Callable[[Second], None]] = []
        self._deleveraged = [0.0, 0.0]  # LTC of the winners of each side, in this wave
        self._wave_s = [0, 0]  # when each side was last deleveraged

    def join(self, trader: Callable[[Second], None]) -> None:
        """Show somebody every second from now on."""
        self._traders.append(trader)

    def trade(self, usdt: float) -> None:
        """Let an order of ours eat the book in the next second; positive buys."""
        self._own_usdt += usdt

    @property
    def is_down(self) -> bool:
        """Whether the venue can be reached by nobody now."""
        now = self.world.second
        return bool(self.world.state["outage_until"][0] > now) or Shock.OUTAGE in self._active()

    def reply(self, number: int, *, reduce_only: bool, latency_ns: int) -> Reply:
        """Return what the venue makes of order `number` that is sent now (`gateway.reply`)."""
        world = self.world
        usual = usual_variance(world.parameters[0])
        return reply(
            world.seed, world.second, number, float(np.sqrt(world.state["variance"][0] / usual)),
            is_down=self.is_down, only_reducing=Shock.REFUSE in self._active(),
            reduce_only=reduce_only, latency_ns=latency_ns,
        )  # fmt: skip

    def deleverages(self, second: Second, qty_ltc: float, rank: float) -> float:
        """Return how much of a winning leg of that rank is deleveraged in this second, unsigned.

        A wave of deleveraging takes the queue from the front. The leg is reached when the wave has
        passed those ahead of it, and then gives no more than the second's share. A wave ends when
        an hour brought no more; by then there are new winners at the front.
        """
        side = LONGS if qty_ltc > 0.0 else SHORTS
        closes = second.deleveraged_long_ltc if side == LONGS else second.deleveraged_short_ltc
        if closes <= 0.0 or rank <= 0.0:
            return 0.0
        world = self.world
        ahead = float(winners_ahead(world.state[0], world.mass, world.scale, side, rank))
        return max(0.0, min(abs(qty_ltc), closes, self._deleveraged[side] - ahead))

    def events(self, atoms: int) -> Iterator[ev.MarketEvent]:
        """Yield the events of so many atoms, each made when it is asked for."""
        for _ in range(atoms):
            begin_s = self.world.second
            record = self._run_atom()
            told = tell(record, begin_s, self.atom_s, self._shocks, self._last)
            self._last = told
            yield from self._teller.events(told, begin_s)

    def _run_atom(self) -> NDArray[np.void]:
        record = np.zeros(1, dtype=ATOM)
        for within in range(self.atom_s):
            own, self._own_usdt = self._own_usdt, 0.0
            second = run_second(
                self.world, record, within, atom_s=self.atom_s, shocks=self._shocks, own_usdt=own
            )
            self._note_deleveraging(LONGS, second.deleveraged_long_ltc)
            self._note_deleveraging(SHORTS, second.deleveraged_short_ltc)
            for trader in self._traders:
                trader(second)
        return record

    def _note_deleveraging(self, side: int, ltc: float) -> None:
        if ltc <= 0.0:
            return
        if self.world.second - self._wave_s[side] > WAVE_S:
            self._deleveraged[side] = 0.0
        self._deleveraged[side] += ltc
        self._wave_s[side] = self.world.second

    def _active(self) -> set[int]:
        """Return the kinds of shock that act now."""
        if self._shocks.size == 0:
            return set()
        now = self.world.second
        acts = (self._shocks["start_s"] <= now) & (now < self._shocks["stop_s"])
        return set(self._shocks["kind"][acts].tolist())
