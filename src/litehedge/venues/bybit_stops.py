"""Protective stops on Bybit: armed, found, replaced, never none of them in between.

A stop is a conditional order of its own (`order/create` with a trigger, on the mark price) that
closes a quantity and only reduces: the same as on Binance. Its client id names its leg, so that it
is known again after a restart, and so is what it traded. The stop of the position itself
(`trading-stop`), which closes whatever is there, is left to people.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from litehedge.errors import BadMessage, VenueDown, VenueError, VenueUnknown
from litehedge.orders.reports import PositionSide, StopReport, VenueOrder
from litehedge.orders.stops import closes_as, is_same, side_of
from litehedge.venues import bybit_errors as errors
from litehedge.venues.bybit_orders import POSITION_IDX, OrderRow, order_list
from litehedge.venues.bybit_rest import Rest
from litehedge.venues.bybit_values import money, plain

PAGES: Final = 10
RISES: Final = 1  # `triggerDirection`
FALLS: Final = 2


def stop_request(
    closes: VenueOrder, trigger_usdt: Decimal, symbol: str, client_id: str
) -> dict[str, object]:
    """Return the body of `order/create`: a market order for when the mark passes a price.

    In hedge mode too Bybit wants `reduceOnly` on what closes a leg, so that it never opens another.
    """
    return {
        "category": "linear",
        "symbol": symbol,
        "side": "Buy" if closes.buys else "Sell",
        "orderType": "Market",
        "qty": plain(closes.qty_ltc),
        "triggerPrice": plain(trigger_usdt),
        "triggerDirection": RISES if closes.buys else FALLS,
        "triggerBy": "MarkPrice",
        "positionIdx": POSITION_IDX[closes.position_side],
        "orderLinkId": client_id,
        "reduceOnly": True,
    }


def stops_of(rows: list[OrderRow], symbol: str) -> list[StopReport]:
    """Return our stops that wait for their trigger, from `order/realtime`.

    Raises
    ------
    BadMessage
        When one of ours cannot be read.
    """
    found = []
    for row in rows:
        side = side_of(row.order_link_id)
        if side is None or row.symbol != symbol or row.order_status != "Untriggered":
            continue
        trigger, qty = money(row.trigger_price, "trigger"), money(row.qty, "quantity of a stop")
        if trigger <= 0 or qty <= 0:
            raise BadMessage("bybit: a stop of ours has no trigger or no quantity", "asked again")
        found.append(StopReport(row.order_link_id, side, row.side == "Buy", trigger, qty))
    return found


class Stops:
    """The protective stops of one contract.

    Parameters
    ----------
    asks
        What asks Bybit.
    symbol
        The contract.
    clock_ms
        The time of this machine.
    """

    def __init__(self, asks: Rest, symbol: str, clock_ms: Callable[[], int]) -> None:
        self._asks = asks
        self._symbol = symbol
        self._clock_ms = clock_ms
        self._last_stop = 0

    async def armed(self) -> list[StopReport]:
        """Return our protective stops that wait for their trigger."""
        rows = await open_rows(self._asks, self._symbol, "the stops", orderFilter="StopOrder")
        try:
            return stops_of(rows, self._symbol)
        except BadMessage as error:
            raise VenueDown(f"the stops: {error.what}", "it is asked again") from None

    async def put(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        """Place or replace the stop that closes a leg when the mark passes a price.

        The new stop is armed before the old one is cancelled. When anything fails in between, both
        are there, and who looks after them tries again; a stop only reduces.
        """
        before = [stop for stop in await self.armed() if closes_as(stop, closes)]
        same = [stop for stop in before if is_same(stop, closes, trigger_usdt)]
        if not same:
            await self._arm(closes, trigger_usdt)
        for stop in before:
            if stop not in same[:1]:
                await self._drop(stop.client_id)

    async def remove(self, position_side: PositionSide) -> None:
        """Cancel the stops of a leg."""
        for stop in await self.armed():
            if stop.position_side == position_side:
                await self._drop(stop.client_id)

    async def _arm(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        self._last_stop = max(self._clock_ms(), self._last_stop + 1)
        client_id = f"lhs-{closes.position_side}-{self._last_stop}"
        body = stop_request(closes, trigger_usdt, self._symbol, client_id)
        doing = f"the stop of the {closes.position_side} leg at {trigger_usdt} USDT"
        try:
            await self._asks.post("/v5/order/create", doing, body, emergency=True)
        except VenueUnknown:
            if client_id not in {stop.client_id for stop in await self.armed()}:
                raise

    async def _drop(self, client_id: str) -> None:
        body = {"category": "linear", "symbol": self._symbol, "orderLinkId": client_id}
        try:
            await self._asks.post(
                "/v5/order/cancel", "the cancelling of a stop", body, emergency=True
            )
        except VenueError as error:  # gone is what was wanted
            if not (error.code.isdigit() and int(error.code) in errors.NO_SUCH_ORDER):
                raise


async def open_rows(asks: Rest, symbol: str, doing: str, **more: object) -> list[OrderRow]:
    """Return what `order/realtime` tells to be open of a contract, over all its pages."""
    found: list[OrderRow] = []
    cursor = ""
    for _ in range(PAGES):
        answer = await asks.get(
            "/v5/order/realtime", doing, category="linear", symbol=symbol, openOnly=0, limit=50,
            cursor=cursor, **more,
        )  # fmt: skip
        try:
            rows, cursor = order_list(answer.result)
        except BadMessage as error:
            raise VenueDown(f"{doing}: {error.what}", "it is asked again") from None
        found += [row for row in rows if row.symbol == symbol]
        if not cursor or not rows:
            break
    return found
