"""The record of a world as the events that a venue's feeds would have sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.market import events as ev
from litehedge.sim.market.book import usual_variance
from litehedge.sim.market.forced import winners_ahead
from litehedge.sim.market.gateway import Reply, reply
from litehedge.sim.market.recording import ATOM, Second
from litehedge.sim.market.second import FUNDING_S
from litehedge.sim.market.shocks import Shock
from litehedge.sim.market.state import LONGS, SHORTS, World
from litehedge.sim.market.step import NO_SHOCKS, run_second
from litehedge.units import NS_PER_SECOND

OPEN_INTEREST_S: Final = 300
"""Venues publish open interest every five minutes."""

WAVE_S: Final = 3_600
"""A wave of deleveraging ends when it paused for so long."""

_NOTHING_HAPPENS: Final = (
    "buy_usdt", "sell_usdt", "liquidated_long_usdt", "liquidated_short_usdt",
    "reported_long_usdt", "reported_short_usdt", "stops_usdt", "deleveraged_usdt",
    "whales_in_usdt", "whales_out_usdt",
)  # fmt: skip


def events_of(atoms: NDArray[np.void], begin_s: int, atom_s: int) -> Iterator[ev.MarketEvent]:
    """Yield the events of consecutive atoms, in order.

    Within an atom: the book, forced orders, the mark, Bitcoin's bar, LTC's bar; then funding and
    open interest when they are due. All are known when the atom ends.

    Parameters
    ----------
    begin_s
        When the first atom begins, in seconds since 1970.
    """
    interval_ns = atom_s * NS_PER_SECOND
    btc_before = float(atoms["btc"][0]) if atoms.size else 0.0
    for i in range(atoms.size):
        row = atoms[i]
        end_s = begin_s + (i + 1) * atom_s
        yield from _atom_events(row, end_s * NS_PER_SECOND, interval_ns, btc_before)
        btc_before = float(row["btc"])
        now_ns = end_s * NS_PER_SECOND
        if end_s % FUNDING_S == 0:
            yield ev.Funding(now_ns, now_ns, float(row["funding_rate"]))
        if end_s % OPEN_INTEREST_S == 0:
            yield ev.OpenInterest(now_ns, now_ns, float(row["open_interest_ltc"]))


def _atom_events(
    row: Any, now_ns: int, interval_ns: int, btc_before: float
) -> Iterator[ev.MarketEvent]:
    yield ev.Book(
        now_ns, now_ns, float(row["bid"]), float(row["ask"]), float(row["bid_depth_usdt"]),
        float(row["ask_depth_usdt"]),
    )  # fmt: skip
    if row["liquidated_long_usdt"] > 0.0:
        yield ev.Liquidation(now_ns, now_ns, "long", float(row["liquidated_long_usdt"]))
    if row["liquidated_short_usdt"] > 0.0:
        yield ev.Liquidation(now_ns, now_ns, "short", float(row["liquidated_short_usdt"]))
    yield ev.Mark(now_ns, now_ns, float(row["mark"]))
    btc = float(row["btc"])
    yield ev.Bar(
        now_ns, now_ns, "BTC", interval_ns, btc_before, max(btc, btc_before),
        min(btc, btc_before), btc, 0.0,
    )  # fmt: skip
    close = float(row["close"])
    yield ev.Bar(
        now_ns, now_ns, "LTC", interval_ns, float(row["open"]), float(row["high"]),
        float(row["low"]), close, float(row["buy_usdt"] + row["sell_usdt"]) / close,
    )  # fmt: skip


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
            yield from events_of(told, begin_s, self.atom_s)

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
