"""What can go wrong with a real session, and the states of an order in which it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from litehedge.engine_state import State
from litehedge.exchange.faults import Fault
from litehedge.market import events as ev
from litehedge.orders.manager import OrderState
from real_sessions import Killed, World

Strike = Callable[[World], None]
PLACE: Final = {"binance": "WS order.place", "bybit": "WS order.create"}
NEWS: Final = {"binance": ("ORDER_TRADE_UPDATE NEW",), "bybit": ("bybit order New",)}
FILLS: Final = {
    "binance": ("ORDER_TRADE_UPDATE TRADE", "TRADE_LITE"),
    "bybit": ("bybit execution", "bybit order PartiallyFilled", "bybit order Filled"),
}
ENDS: Final = {
    "binance": ("ORDER_TRADE_UPDATE EXPIRED",),
    "bybit": ("bybit order PartiallyFilledC", "bybit order Cancel"),
}
QUERY: Final = {"binance": "GET /fapi/v1/order", "bybit": "GET /v5/order/"}


def _next(fault: Fault, n: int = 1, match: str = "", **terms: float | str) -> Strike:
    def strike(world: World) -> None:
        world.exchange.faults.next(fault, n, match=match, **terms)

    return strike


def _for(seconds: float, fault: Fault, match: str = "", **terms: float | str) -> Strike:
    def strike(world: World) -> None:
        world.exchange.faults.by_chance(fault, 1.0, match=match, **terms)
        world.loop.call_later(seconds, world.exchange.faults.lift, fault)

    return strike


def _drop(world: World) -> None:
    for venue in world.venues:
        world.exchange.drop_connections(venue)


BINANCE: Final[dict[str, Strike]] = {
    "silence of the account": _for(20.0, Fault.SILENCE, "binance ORDER_TRADE_UPDATE"),
    "silence of everything": _for(15.0, Fault.SILENCE, "binance"),
    "silence without pongs": _for(45.0, Fault.NO_PONG),
    "gap in the account": _next(Fault.GAP, 2, "binance ORDER_TRADE_UPDATE"),
    "gap in the book": _next(Fault.GAP, 1, "binance depth"),
    "duplicate": _next(Fault.DUPLICATE, 12, "_UPDATE"),
    "reorder": _next(Fault.REORDER, 2, "_UPDATE"),
    "delay": _next(Fault.DELAY, 8, "_UPDATE", seconds=5.0),
    "malformed": _next(Fault.MALFORMED, 3, "_UPDATE"),
    "disconnect": _drop,
    "disconnect in the middle": _next(Fault.DISCONNECT, 1, "ORDER_TRADE_UPDATE"),
    "slow": _next(Fault.SLOW, 4, "order", seconds=4.0),
    "slower than anybody waits": _next(Fault.SLOW, 2, "order", seconds=12.0),
    "answer lost": _next(Fault.LOST_ANSWER, 3, "order"),
    "503, done": _next(Fault.UNKNOWN_DONE, 2, "order"),
    "503, done late": _next(Fault.UNKNOWN_LATE, 1, "order", seconds=6.0),
    "503, not done": _next(Fault.UNKNOWN_NOT_DONE, 2, "order"),
    "503, unavailable": _next(Fault.UNAVAILABLE, 3),
    "-1008": _next(Fault.THROTTLED, 1),
    "-2019": _next(Fault.REFUSED, 1, "order.place", code=-2019, msg="Margin is insufficient."),
    "429": _next(Fault.TOO_MANY, 2, seconds=3),
    "418": _next(Fault.BANNED, 1, seconds=8.0),
    "-1021": _next(Fault.SKEW, 2),
    "hidden": _next(Fault.HIDDEN, 3),
    "partial fill": _next(Fault.PARTIAL, 1, share=0.37),
    "liquidation": _next(Fault.LIQUIDATE),
    "our hedge deleveraged": _next(Fault.DELEVERAGE, 1, share=0.6, side="short"),
    "our position deleveraged": _next(Fault.DELEVERAGE, 1, share=0.3, side="long"),
    "tiers": _next(Fault.TIERS, 1, factor=1.4),
    "insurance clear": _next(Fault.INSURANCE_CLEAR, 1, usdt=3.5),
    "listen key expires": _next(Fault.KEY_EXPIRES),
    "day ends": _next(Fault.DAY_END),
}  # fmt: skip

BYBIT: Final[dict[str, Strike]] = {
    "silence of the account": _for(20.0, Fault.SILENCE, "bybit order "),
    "silence of executions": _for(20.0, Fault.SILENCE, "bybit execution"),
    "silence of everything": _for(15.0, Fault.SILENCE, "bybit"),
    "silence without pongs": _for(45.0, Fault.NO_PONG),
    "gap in the account": _next(Fault.GAP, 2, "bybit execution"),
    "duplicate": _next(Fault.DUPLICATE, 12, "bybit order "),
    "reorder": _next(Fault.REORDER, 2, "bybit order "),
    "delay": _next(Fault.DELAY, 8, "bybit execution", seconds=5.0),
    "malformed": _next(Fault.MALFORMED, 3, "bybit order "),
    "disconnect": _drop,
    "slow": _next(Fault.SLOW, 4, "order", seconds=4.0),
    "answer lost": _next(Fault.LOST_ANSWER, 3, "order"),
    "503, done": _next(Fault.UNKNOWN_DONE, 2, "order"),
    "503, done late": _next(Fault.UNKNOWN_LATE, 1, "order", seconds=6.0),
    "503, not done": _next(Fault.UNKNOWN_NOT_DONE, 2, "order"),
    "unavailable": _next(Fault.UNAVAILABLE, 3),
    "margin": _next(Fault.REFUSED, 1, "order.create", code=110007, msg="ab not enough"),
    "too many": _next(Fault.TOO_MANY, 2, "bybit"),
    "banned": _next(Fault.BANNED, 1, "bybit"),
    "clock": _next(Fault.SKEW, 2),
    "hidden": _next(Fault.HIDDEN, 3),
    "partial fill": _next(Fault.PARTIAL, 1, share=0.37),
    "liquidation": _next(Fault.LIQUIDATE),
    "our hedge deleveraged": _next(Fault.DELEVERAGE, 1, share=0.6, side="short"),
    "tiers": _next(Fault.TIERS, 1, factor=1.4),
    "day ends": _next(Fault.DAY_END),
}  # fmt: skip
FAULTS: Final = {"binance": BINANCE, "bybit": BYBIT}

STATES: Final = ("before", "placing", "accepted", "partly filled", "unknown", "ended")


def lead_to(world: World, state: str, venue: str) -> None:
    """Arrange that the first order after two seconds is in a state for a while."""
    world.loop.call_later(2.0, _lead_to, world, state, venue)


def _lead_to(world: World, state: str, venue: str) -> None:
    faults = world.exchange.faults
    place, is_binance = f"{venue} {PLACE[venue]}", venue == "binance"
    if state == "placing":
        faults.next(Fault.SLOW, 1, match=place, seconds=1.0)
    if state not in ("accepted", "partly filled", "unknown"):
        return
    faults.next(Fault.SLOW, 2, match=QUERY[venue], seconds=3.0)
    if state == "unknown":
        faults.next(Fault.UNKNOWN_DONE, 1, match=place)
        late = NEWS[venue] + FILLS[venue] + ENDS[venue]
    elif state == "accepted":
        late = FILLS[venue] + ENDS[venue]
    else:
        faults.next(Fault.PARTIAL, 1, share=0.5)
        late = ENDS[venue]
    if is_binance and state != "unknown":
        faults.next(Fault.LOST_ANSWER, 1, match=place)  # it would tell everything
    for subject in late:
        faults.next(Fault.DELAY, 8, match=subject, seconds=4.0)


class When:
    """Strikes once, when the first order is in a state; watches a session as its script does."""

    def __init__(self, world: World, state: str, strike: Strike) -> None:
        self.world = world
        self.state = state
        self.strike = strike
        self.struck = False
        self.reached: list[str] = []
        self._sent = False
        if state == "before":
            world.loop.call_later(2.0, self._now)

    def __call__(self, event: ev.AnyEvent, effects: list[Any], state: State) -> None:
        now = self._where(state)
        if now and (not self.reached or self.reached[-1] != now):
            self.reached.append(now)
        if not self.struck and now == self.state:
            self._now()

    def _now(self) -> None:
        self.struck = True
        self.strike(self.world)

    def _where(self, state: State) -> str:
        if state.order is None:
            return "ended" if self._sent else ""
        self._sent = True
        at = state.order.state
        return "placing" if at is OrderState.INTENDED else str(at)


def die(world: World) -> None:
    """Kill the process."""
    raise Killed
