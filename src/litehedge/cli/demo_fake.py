"""``litehedge demo --venue fake``: the whole system through real sockets, nothing left out.

The fake exchange runs on loopback in a thread of its own and speaks as Binance does. Everything
else is what ``litehedge live`` runs: the native client, the order desk, the thread of the sockets.
"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rich.live import Live

from litehedge.cli.board import Board
from litehedge.cli.common import console, patience
from litehedge.cli.guarding import plan_of
from litehedge.cli.market import listening, places_of
from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import Effect, Submit
from litehedge.exchange.scene import Simulated
from litehedge.exchange.server import FakeExchange, Truth
from litehedge.hedge.rules import Rules
from litehedge.live.funnel import Funnel
from litehedge.live.real import look, prepare, settings_of
from litehedge.live.setup import tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.market import events as ev
from litehedge.orders.reports import VenueOrder
from litehedge.sim.find import world_before_fall
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.parameters import Parameters
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MS, NS_PER_SECOND, instant_ns
from litehedge.venues import binance
from litehedge.venues.keys import Keys

FASTEST: Final = 60.0  # beyond that a round over loopback takes seconds of the market
PRE_ROLL_S: Final = 4 * 3600 + 600  # what the forecaster needs on frames of a minute
LEAD_S: Final = 20 * 60
FALL: Final = 0.06
STARTS: Final = "2026-01-05"
ROOM: Final = 50  # leverage set for the contract: room for a hedge leg, where one is asked for


def demo_fake(
    settings: Settings,
    rules: Rules | None,
    seed: int,
    minutes: int,
    speed: float,
    *,
    ui: bool,
    journal: Path | None,
) -> dict[str, Any]:
    """Guard a 20x long on the fake exchange through a fall; return how it ended."""
    speed = min(speed, FASTEST)
    with patience("looking for a squeeze"):
        world, _ = world_before_fall(
            Parameters(), seed, instant_ns(STARTS) // NS_PER_SECOND, fall=FALL,
            lead_s=PRE_ROLL_S + LEAD_S,
        )  # fmt: skip
    exchange = FakeExchange(
        Simulated(LiveMarket(world, 1)), wallet_usdt=Decimal(int(settings.position.wallet_usdt)),
        leverage=ROOM, step_ms=1000, limited=False,
    )  # fmt: skip
    with patience("four hours of the market go by"):
        for _ in range(PRE_ROLL_S):
            exchange.step()
    with SocketThread() as there, SocketThread() as here, tempfile.TemporaryDirectory() as folder:
        there.call(_open(exchange, speed))
        try:
            path = journal or Path(folder) / "journal.sqlite"
            return _guard(exchange, here, settings, rules, minutes, speed, ui=ui, journal=path)
        finally:
            there.call(exchange.__aexit__(None, None, None))


async def _open(exchange: FakeExchange, speed: float) -> None:
    exchange.step_ms = 100
    exchange.speed = speed
    await exchange.__aenter__()


def _guard(
    exchange: FakeExchange,
    thread: SocketThread,
    settings: Settings,
    rules: Rules | None,
    minutes: int,
    speed: float,
    *,
    ui: bool,
    journal: Path,
) -> dict[str, Any]:
    places = places_of(exchange.url)
    client = binance.BinanceClient(Keys("binance", "key", "secret"), hosts=places.binance)
    first = look(thread, client)
    plan = plan_of(settings, rules, tiers_of(first.contract), "1m")
    try:
        mark = exchange.truth().mark_usdt
        notional = settings.position.wallet_usdt * settings.position.leverage
        qty = Decimal(int(notional / mark * 1000)) / 1000
        limit = Decimal(int(mark * 103)) / 100
        order = VenueOrder("the-user-1", True, "long", qty, limit, False)
        thread.call(client.place(order))
        first = look(thread, client)
        guarded = at_speed(settings_of(settings, first), speed)
        plan = plan_of(guarded, rules, tiers_of(first.contract), "1m")
        funnel = Funnel(lambda: exchange.now_ms * NS_PER_MS, speed)
        book = Journal(journal)
        running = prepare(thread, funnel, plan, book, first, session="demo", mode="demo")
        board = Board(running.taken.state, "PAPER on a fake exchange", lambda: funnel.sources)
        orders: list[str] = []
        ends_ns = funnel.now_ns() + minutes * 60 * NS_PER_SECOND

        def watch(event: ev.AnyEvent, effects: list[Effect]) -> None:
            orders.extend(e.order.client_id for e in effects if isinstance(e, Submit))
            if event.known_ns >= ends_ns or was_liquidated(exchange.truth()):
                funnel.stop()

        shown = (
            Live(get_renderable=board.view, console=console, refresh_per_second=8)
            if ui
            else nullcontext()
        )
        minutes_before = PRE_ROLL_S // 60
        with (
            listening(
                thread, "binance", guarded, places, minutes_before, now_ns=funnel.now_ns
            ) as market,
            shown,
        ):
            running.run(
                market.sources, market.past, market.since, journal=book, observers=[board, watch]
            )
        book.close()
        truth, state = exchange.truth(), running.taken.state
        position, hedge = sizes(state.terms, state.books)
        return {
            "label": "FAKE EXCHANGE, its squeeze looked for: it shows that the parts work together",
            "equity_usdt": _equity(exchange),
            "liquidated": was_liquidated(truth),
            "orders": len(orders),
            "trades": sum(1 for o in truth.orders if o.client_id in orders and o.filled_ltc > 0),
            "position_ltc": float(position),
            "hedge_ltc": float(hedge),
            "held_ltc": float(truth.qty_ltc("long")),
            "events": funnel.count,
            "feeds": {name: source.state for name, source in sorted(funnel.sources.items())},
        }
    finally:
        thread.call(client.close())


def at_speed(settings: Settings, speed: float) -> Settings:
    """Return the settings with as much patience for the account as the clock runs faster.

    The account is asked for every half minute of this machine: more of the market's time.
    """
    parachute = settings.parachute
    patience_s = parachute.account_silent_s * max(1.0, speed)
    patient = parachute.model_copy(update={"account_silent_s": patience_s})
    return settings.model_copy(update={"parachute": patient})


def was_liquidated(truth: Truth) -> bool:
    """Tell whether the venue closed all of the position by force.

    Holding nothing does not tell: a position may be reduced to nothing, and bought back.
    """
    forced = any(order.kind == "liquidation" and order.side == "long" for order in truth.orders)
    return forced and truth.qty_ltc("long") == 0


def _equity(exchange: FakeExchange) -> float:
    truth = exchange.truth()
    return float(truth.wallet_usdt + sum((leg.unrealised_usdt for leg in truth.legs), Decimal(0)))
