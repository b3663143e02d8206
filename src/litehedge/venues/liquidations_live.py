"""Live liquidations of OKX and Kraken Futures: kept sockets around the pure readers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import aiohttp
import msgspec

from litehedge.net import Wire, keep_socket
from litehedge.ports import Outlet
from litehedge.venues import liquidations

OKX_PUBLIC: Final = "wss://ws.okx.com:8443/ws/v5/public"
KRAKEN_FUTURES: Final = "wss://futures.kraken.com/ws/v1"
REMEMBERED_TRADES: Final = 4096
OKX_PING_S: Final = 20.0  # OKX cuts what is silent for 30 s
OKX_SILENCE_S: Final = 60.0
KRAKEN_SILENCE_S: Final = 90.0


class OkxLiquidations:
    """Source of OKX's liquidation orders: all swaps come, those of one contract are put."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        url: str = OKX_PUBLIC,
        instrument: str = "LTC-USDT-SWAP",
        contract_ltc: float = 1.0,
        silence_s: float = OKX_SILENCE_S,
    ) -> None:
        self._session, self._url, self._silence_s = session, url, silence_s
        self._instrument, self._contract_ltc = instrument, contract_ltc

    @property
    def name(self) -> str:
        """Name of the source."""
        return "okx.liquidations"

    async def run(self, out: Outlet) -> None:
        """Put liquidations until cancelled."""

        async def opened(wire: Wire) -> None:
            wanted = [{"channel": "liquidation-orders", "instType": "SWAP"}]
            await wire.send(msgspec.json.encode({"op": "subscribe", "args": wanted}))

        def message(payload: bytes) -> None:
            for event in liquidations.okx(
                payload,
                out.now_ns(),
                instrument=self._instrument,
                contract_ltc=self._contract_ltc,
            ):
                out.put(event)

        await keep_socket(
            self._session,
            self.name,
            self._address,
            out,
            opened=opened,
            message=message,
            silence_s=self._silence_s,
            heartbeat=("ping", OKX_PING_S),
        )

    async def _address(self) -> str:
        return self._url


class KrakenLiquidations:
    """Source of Kraken Futures' liquidations, out of its feed of trades: the complete ones.

    On every opening the venue tells its last hundred trades. The first time they are old news;
    after a break those not seen before fill the gap.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        url: str = KRAKEN_FUTURES,
        product: str = "PF_LTCUSD",
        silence_s: float = KRAKEN_SILENCE_S,
    ) -> None:
        self._session, self._url, self._silence_s = session, url, silence_s
        self._product = product
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._has_begun = False

    @property
    def name(self) -> str:
        """Name of the source."""
        return "krakenfutures.liquidations"

    async def run(self, out: Outlet) -> None:
        """Put liquidations until cancelled."""

        async def opened(wire: Wire) -> None:
            trades = {"event": "subscribe", "feed": "trade", "product_ids": [self._product]}
            await wire.send(msgspec.json.encode(trades))
            await wire.send(msgspec.json.encode({"event": "subscribe", "feed": "heartbeat"}))

        await keep_socket(
            self._session,
            self.name,
            self._address,
            out,
            opened=opened,
            message=lambda payload: self._read(payload, out),
            silence_s=self._silence_s,
        )

    def _read(self, payload: bytes, out: Outlet) -> None:
        told = liquidations.kraken(payload, out.now_ns(), product=self._product)
        is_old = told.snapshot and not self._has_begun
        for trade_id, event in sorted(told.found, key=lambda one: one[1].event_ns):
            if trade_id in self._seen:
                continue
            self._seen[trade_id] = None
            if len(self._seen) > REMEMBERED_TRADES:
                self._seen.popitem(last=False)
            if not is_old:
                out.put(event)
        self._has_begun = self._has_begun or told.snapshot

    async def _address(self) -> str:
        return self._url
