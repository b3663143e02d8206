"""What a ccxt account tells by itself: orders over its stream, the rest by asking; supervised.

A stream of orders may be silent for days, so silence says nothing about it. Orders that were sent
are asked for every second until they ended, and the account every few seconds: a stream that is
dead in secret costs seconds, and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from litehedge.errors import BadMessage, VenueError
from litehedge.net import Pause
from litehedge.orders.reports import ForcedReport, FundingReport, Report
from litehedge.ports import Outlet
from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_forced import forced
from litehedge.venues.ccxt_read import exact, ns_of

if TYPE_CHECKING:
    from litehedge.venues.ccxt_venue import CcxtClient

SETTLE_S: Final = 1.0
FUNDING_S: Final = 300.0
REMEMBERED: Final = 1000
CONNECTED_S: Final = 10.0
MISSING_TIMES: Final = 60  # a venue may know an order only a while after it took it


async def keep_told(
    client: CcxtClient, tell: Callable[[Report], None], out: Outlet, poll_s: float
) -> None:
    """Tell what happens to an account until cancelled."""
    async with asyncio.TaskGroup() as loops:
        for what, once, every_s in (
            ("orders", _orders(client, tell, out), 0.0),
            ("account", _account(client, tell), poll_s),
            ("settling", _settling(client, tell), min(SETTLE_S, poll_s)),
            ("funding", _funding(client, tell), max(FUNDING_S, poll_s)),
        ):
            loops.create_task(_again(f"{client.name}.{what}", once, every_s, out))


async def _again(
    source: str, once: Callable[[], Awaitable[None]], every_s: float, out: Outlet
) -> None:
    """Do something again and again; no failure ends it, each is told."""
    pause = Pause()
    out.health(source, "starting")
    while True:
        try:
            await once()
        except VenueError as error:
            out.health(source, "down", str(error))
            await asyncio.sleep(pause.after(0.0))
            continue
        except BadMessage as error:
            out.bad(source, error, b"")
        else:
            out.health(source, "ok")
            pause = Pause()
        await asyncio.sleep(every_s)


def _orders(
    client: CcxtClient, tell: Callable[[Report], None], out: Outlet
) -> Callable[[], Awaitable[None]]:
    seen: dict[str, None] = {}
    was_lost = False

    async def once() -> None:
        nonlocal was_lost
        exchange = client.exchange()
        hearing = asyncio.ensure_future(exchange.watch_orders(client.venue.symbol))
        try:
            with translated(client.name, "its orders are not heard"):
                done, _ = await asyncio.wait({hearing}, timeout=CONNECTED_S)
                if not done:  # nothing is ordered, nothing is said
                    out.health(f"{client.name}.orders", "ok")
                told = await hearing
        except VenueError:
            was_lost = True
            raise
        finally:
            hearing.cancel()
        if was_lost:
            was_lost = False
            tell(await client.account())
        for one in told:
            try:
                closing = forced(client.venue.name, one, client.contract_ltc)
                report = None if closing is not None else client.heard(one)
            except BadMessage as error:
                out.bad(f"{client.name}.orders", error, b"")
                continue
            if isinstance(closing, ForcedReport) and closing.trade_id not in seen:
                seen[closing.trade_id] = None
                tell(closing)
            if report is not None:
                tell(report)
        while len(seen) > REMEMBERED:
            seen.pop(next(iter(seen)))

    return once


def _account(client: CcxtClient, tell: Callable[[Report], None]) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        tell(await client.account())

    return once


def _settling(client: CcxtClient, tell: Callable[[Report], None]) -> Callable[[], Awaitable[None]]:
    unknown: dict[str, int] = {}

    async def once() -> None:
        for client_id in client.unsettled():
            report = await client.order(client_id)
            tell(report)
            times = unknown.pop(client_id, 0) + 1
            if report.status == "missing" and times < MISSING_TIMES:
                unknown[client_id] = times
            elif report.status == "missing":
                client.forget(client_id)

    return once


def _funding(client: CcxtClient, tell: Callable[[Report], None]) -> Callable[[], Awaitable[None]]:
    seen: dict[str, None] = {}
    begun_ms = 0

    async def once() -> None:
        nonlocal begun_ms
        exchange = client.exchange()
        if not exchange.has.get("fetchFundingHistory"):
            return
        begun_ms = begun_ms or exchange.milliseconds()
        with translated(client.name, "its funding was not read"):
            told = await exchange.fetch_funding_history(client.venue.symbol, begun_ms)
        for one in told:
            key = f"{one.get('id')} {one.get('timestamp')}"
            if key in seen or (one.get("timestamp") or 0) < begun_ms:
                continue
            seen[key] = None
            tell(FundingReport(ns_of(one["timestamp"]), exact(one.get("amount"), "funding")))

    return once
