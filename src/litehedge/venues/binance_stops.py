"""Protective stops on Binance: armed, found, replaced, never none of them in between.

Stops live in the algo service since 2025-12-09. They work on the mark price, as liquidation does,
and only reduce.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

import msgspec

from litehedge.errors import BadMessage, VenueRefused, VenueUnknown
from litehedge.orders.reports import OrderReport, PositionSide, VenueOrder
from litehedge.units import NS_PER_MS
from litehedge.venues import binance_account as parse
from litehedge.venues.binance_errors import NOT_THERE
from litehedge.venues.binance_link import Rest, readable


class Stops:
    """The protective stops of one contract.

    Parameters
    ----------
    rest
        What asks Binance.
    symbol
        The contract.
    held_ltc
        Asks for the unsigned size of a leg.
    """

    def __init__(
        self, rest: Rest, symbol: str, held_ltc: Callable[[PositionSide], Awaitable[Decimal]]
    ) -> None:
        self._rest = rest
        self._symbol = symbol
        self._held_ltc = held_ltc
        self._last_stop = 0

    async def armed(self) -> list[parse.Stop]:
        """Return our protective stops that are armed."""
        one = {"symbol": self._symbol}
        body = await self._rest.get("/fapi/v1/openAlgoOrders", one, "the stops", signed=True)
        try:
            return parse.stops(body, self._symbol)
        except BadMessage as error:
            raise readable(error, changes=False) from None

    async def put(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        """Place or replace the stop that closes a leg when the mark passes a price.

        The new stop is armed before the old one is cancelled. When anything fails in between,
        both are there, which does no harm: a stop only reduces. Binance takes a single stop of
        quantity 0 (which closes whatever is there) for each side; while one replaces another, a
        stop with a quantity stands in for it.
        """
        leg = parse.WIRE_LEGS[closes.position_side]
        side = "BUY" if closes.buys else "SELL"
        before = [s for s in await self.armed() if s.leg == leg and s.side == side]
        qty = closes.qty_ltc if closes.qty_ltc != 0 else None
        same = [s for s in before if s.trigger_usdt == trigger_usdt and s.qty_ltc == qty]
        if same:
            await self._drop(s.client_id for s in before if s is not same[0])
            return
        if qty is None and any(s.qty_ltc is None for s in before):
            size = await self._held_ltc(closes.position_side)
            bridge: list[str] = []
            if size > 0:
                stand_in = msgspec.structs.replace(closes, qty_ltc=size)
                bridge.append(await self._arm(stand_in, trigger_usdt))
            await self._drop(s.client_id for s in before)
            await self._arm(closes, trigger_usdt)
            await self._drop(bridge)
            return
        await self._arm(closes, trigger_usdt)
        await self._drop(s.client_id for s in before)

    async def remove(self, position_side: PositionSide) -> None:
        """Cancel the stops of a leg."""
        leg = parse.WIRE_LEGS[position_side]
        await self._drop([s.client_id for s in await self.armed() if s.leg == leg])

    async def outcome(self, client_id: str) -> OrderReport:
        """Return what a stop traded; `missing` where Binance does not know it."""
        when_ns = self._rest.venue_ms() * NS_PER_MS
        try:
            asked = {"clientAlgoId": client_id}
            body = await self._rest.get("/fapi/v1/algoOrder", asked, "the stop", signed=True)
            order_id, is_waiting = parse.stop_fate(body)
            if not order_id:
                return OrderReport(client_id, "open" if is_waiting else "expired", event_ns=when_ns)
            asked = {"symbol": self._symbol, "orderId": order_id}
            body = await self._rest.get("/fapi/v1/order", asked, "the stop's order", signed=True)
            report = parse.order_report(body, self._symbol)
        except VenueRefused as error:
            if error.code in NOT_THERE:
                return OrderReport(client_id, "missing", event_ns=when_ns)
            raise
        except BadMessage as error:
            raise readable(error, changes=False) from None
        return msgspec.structs.replace(report, client_id=client_id)

    async def _arm(self, closes: VenueOrder, trigger_usdt: Decimal) -> str:
        self._last_stop = max(self._rest.venue_ms(), self._last_stop + 1)
        client_id = f"{parse.STOP_PREFIX}{closes.position_side}-{self._last_stop}"
        params = parse.stop_params(closes, trigger_usdt, self._symbol, client_id)
        try:
            await self._rest.send("POST", "/fapi/v1/algoOrder", params, "the stop", changes=True)
        except VenueUnknown:
            if client_id not in {s.client_id for s in await self.armed()}:
                raise
        return client_id

    async def _drop(self, client_ids: Iterable[str]) -> None:
        for client_id in client_ids:
            try:
                params = {"clientAlgoId": client_id}
                await self._rest.send(
                    "DELETE", "/fapi/v1/algoOrder", params, "the cancelling of a stop", changes=True
                )
            except VenueRefused as error:
                if error.code not in NOT_THERE:
                    raise
