"""The fake exchange: one server on loopback, one market, and our account on each venue.

Market time is the exchange's own. It passes when a test calls `advance`, or by itself at a speed.
What concerns requests (timestamps, limits, listen keys, dead-man timers) lives on `clock`, which
is the wall clock unless another is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from litehedge.exchange.access import Access, Key
from litehedge.exchange.binance_rest import BinanceRest
from litehedge.exchange.binance_streams import BinanceStreams
from litehedge.exchange.binance_wire import BinanceWire
from litehedge.exchange.bybit_rest import BybitRest
from litehedge.exchange.bybit_streams import BybitStreams
from litehedge.exchange.bybit_wire import BybitWire
from litehedge.exchange.faults import Fault, Faults, Planned
from litehedge.exchange.happenings import Happening, LegNow
from litehedge.exchange.hub import Connection, Hub
from litehedge.exchange.ledger import Ledger
from litehedge.exchange.scene import Scene, Scripted
from litehedge.exchange.terms import TERMS, Held, VenueName
from litehedge.exchange.venue import Venue
from litehedge.margin.tiers import TierTable
from litehedge.store.bundled import tier_table

STEP_MS: Final = 100


@dataclass(frozen=True, slots=True)
class Truth:
    """What an account really holds; what a client believes is compared with this."""

    wallet_usdt: Decimal
    legs: tuple[LegNow, ...]
    orders: tuple[Held, ...]
    funding_usdt: Decimal
    mark_usdt: float

    def qty_ltc(self, side: str) -> Decimal:
        """Return the signed quantity of a leg, 0 where there is none."""
        return next((leg.qty_ltc for leg in self.legs if leg.side == side), Decimal(0))

    def order(self, client_id: str) -> Held | None:
        """Return the last order of a client id."""
        return next((o for o in reversed(self.orders) if o.client_id == client_id), None)


def wall_ms() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


class FakeExchange:
    """A server that speaks like Binance USD-M and Bybit v5 linear, for LTCUSDT.

    Use as an asynchronous context manager. `url` and `ws_url` are where it listens.

    Parameters
    ----------
    scene
        What moves the market; a flat price by default.
    speed
        Market seconds per wall second; 0: time passes only by `advance`.
    plan
        Faults by market time, in seconds since the beginning.
    step_ms
        How often the book moves, in market time; a divisor of 1000.
    """

    def __init__(
        self, scene: Scene | None = None, *, venues: Sequence[VenueName] = ("binance",),
        wallet_usdt: Decimal = Decimal(10_000), leverage: int = 20, hedge_mode: bool = True,
        isolated: bool = False, seed: int = 0, speed: float = 0.0, step_ms: int = STEP_MS,
        keys: Sequence[Key] = (Key(),), clock: Callable[[], int] = wall_ms, limited: bool = True,
        tiers: TierTable | None = None, plan: Sequence[Planned] = (),
    ) -> None:  # fmt: skip
        self.scene: Scene = scene if scene is not None else Scripted()
        self.faults = Faults(seed)
        self.clock = clock
        self.speed = speed
        self.step_ms = step_ms
        self.now_ms = self.scene.begins_s * 1000
        self.venues: dict[VenueName, Venue] = {}
        self._hubs: dict[VenueName, Hub] = {}
        self._tellers: dict[VenueName, Callable[[Happening], None]] = {}
        self._plan = sorted(plan, key=lambda planned: planned.second)
        self._by_key = {key.key: key for key in keys}
        self._limited = limited
        self._app = web.Application()
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0)
        self._clockwork: asyncio.Task[None] | None = None
        self._end_of_second: list[Callable[[], None]] = []
        self._port = 0
        table = tiers if tiers is not None else tier_table("binance", "LTCUSDT")
        for name in venues:
            ledger = Ledger(
                TERMS[name], table, wallet_usdt, leverage=leverage, hedge_mode=hedge_mode,
                isolated=isolated,
            )  # fmt: skip
            self._add(name, ledger)
        self._live_second()

    # --- where ------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Return the address of REST."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """Return the address of websockets."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def binance(self) -> Venue:
        """Return the Binance venue."""
        return self.venues["binance"]

    @property
    def bybit(self) -> Venue:
        """Return the Bybit venue."""
        return self.venues["bybit"]

    def truth(self, venue: VenueName = "binance") -> Truth:
        """Return what the account on a venue really holds."""
        there = self.venues[venue]
        return Truth(
            there.ledger.wallet(), there.ledger.legs(there.mark),
            tuple(there.matching.orders.values()),
            sum((usdt for _, usdt in there.history.received), Decimal(0)), there.mark,
        )  # fmt: skip

    # --- time -------------------------------------------------------------------------------------

    async def advance(self, seconds: float) -> None:
        """Let market time pass, and wait until what happened is on the wire."""
        for _ in range(round(seconds * 1000 / self.step_ms)):
            self.step()
        await self.sent()

    def step(self) -> None:
        """Let one step of market time pass."""
        self.now_ms += self.step_ms
        if self.now_ms % 1000 == 0:
            self._live_second()
        else:
            for venue in self.venues.values():
                venue.step(self.now_ms)
        for name, venue in self.venues.items():
            due = venue.cancel_at_ms
            if due is not None and self.clock() >= due:
                venue.cancel_at_ms = None
                venue.matching.cancel_all()
            self._hubs[name].release(self.now_ms)

    async def sent(self) -> None:
        """Wait until everything that was said is on the wire."""
        for hub in self._hubs.values():
            await hub.sent()

    def drop_connections(self, venue: VenueName = "binance") -> None:
        """Close every stream of a venue."""
        for connection in self._hubs[venue].connections:
            connection.end()

    # --- life -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        if self.speed > 0.0:
            self._clockwork = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._clockwork is not None:
            self._clockwork.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clockwork
        for hub in self._hubs.values():
            for connection in list(hub.connections):
                await connection.stop()
                await connection.socket.close()
        await self._runner.cleanup()

    async def _run(self) -> None:
        """Let market time pass at its speed; a late step is made up for."""
        loop = asyncio.get_running_loop()
        began, first_ms = loop.time(), self.now_ms
        while True:
            due_ms = first_ms + (loop.time() - began) * 1000.0 * self.speed
            if self.now_ms + self.step_ms <= due_ms:
                self.step()
                await asyncio.sleep(0)
            else:
                ahead_ms = self.now_ms + self.step_ms - due_ms
                await asyncio.sleep(ahead_ms / 1000.0 / self.speed)

    # --- pieces -----------------------------------------------------------------------------------

    def _live_second(self) -> None:
        passed_s = self.now_ms // 1000 - self.scene.begins_s
        while self._plan and self._plan[0].second <= passed_s:
            self.faults.set_planned(self._plan.pop(0))
        moment = self.scene.next_second()
        for venue in self.venues.values():
            venue.second(self.now_ms, moment)
        for flush in self._end_of_second:
            flush()

    def _add(self, name: VenueName, ledger: Ledger) -> None:
        def tell(happening: Happening) -> None:
            self._tellers[name](happening)

        venue = Venue(ledger, self.scene, self.faults, tell)
        venue.matching.now_ms = self.now_ms
        self.venues[name] = venue
        self._hubs[name] = Hub(self.faults)
        access = Access(self._by_key, lambda: self.clock(), limited=self._limited)
        if name == "binance":
            self._add_binance(venue, access)
        else:
            self._add_bybit(venue, access)

    def _add_binance(self, venue: Venue, access: Access) -> None:
        hub = self._hubs["binance"]
        rest = BinanceRest(venue, access)
        wire = BinanceWire(rest, access, self.faults)
        streams = BinanceStreams(rest, hub)
        self._tellers["binance"] = streams.tell
        self._end_of_second.append(streams.flush)

        def on_fault(fault: Fault) -> None:
            if fault is Fault.KEY_EXPIRES:
                streams.expire_keys()
            elif fault is Fault.DAY_END:
                self.drop_connections("binance")

        venue.on_fault = on_fault

        async def api(request: web.Request) -> web.StreamResponse:
            socket = web.WebSocketResponse(autoping=False)
            await socket.prepare(request)
            return await hub.talk(request, Connection(socket, "api"), "binance", wire.hear)

        route = "/{route:public|market|private}/{form:ws|stream}"
        self._app.router.add_get(route, streams.connect)
        self._app.router.add_get(route + "/{name:.*}", streams.connect)
        self._app.router.add_get("/ws-fapi/v1", api)
        for prefix in ("/fapi", "/sapi", "/futures"):
            self._app.router.add_route("*", prefix + "/{rest:.*}", wire.http)

    def _add_bybit(self, venue: Venue, access: Access) -> None:
        hub = self._hubs["bybit"]
        wire = BybitWire(BybitRest(venue, access), access, self.faults)
        streams = BybitStreams(wire, hub)
        self._tellers["bybit"] = streams.tell
        self._end_of_second.append(streams.flush)

        def on_fault(fault: Fault) -> None:
            if fault is Fault.DAY_END:
                self.drop_connections("bybit")

        venue.on_fault = on_fault
        for path in ("/v5/public/linear", "/v5/private", "/v5/trade"):
            self._app.router.add_get(path, streams.connect)
        self._app.router.add_route("*", "/v5/{rest:.*}", wire.http)
