"""Bybit USDT perpetuals: `BybitClient` is one account, `BybitMarket` what the market tells.

Bybit takes an order before it knows what becomes of it: `place` returns that it was accepted, and
fills come over `run`. Protective stops are conditional orders: see `bybit_stops`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import aiohttp

from litehedge.errors import BadMessage, VenueDown, VenueError
from litehedge.market.events import AnyEvent
from litehedge.orders.manager import is_ours
from litehedge.orders.reports import (
    AccountReport,
    Contract,
    OrderReport,
    PositionSide,
    Report,
    StopReport,
    VenueOrder,
)
from litehedge.ports import Health, Outlet, VenueClient
from litehedge.venues import bybit_errors as errors
from litehedge.venues.bybit_account import (
    AccountMirror,
    KeyRights,
    is_isolated,
    key_rights,
    others_of,
    positions_of,
    wallet_of,
)
from litehedge.venues.bybit_contract import contract_of
from litehedge.venues.bybit_market import BybitMarket
from litehedge.venues.bybit_orders import (
    ExecutionRow,
    OrderRow,
    execution_list,
    order_list,
    order_request,
    report,
)
from litehedge.venues.bybit_rest import PRODUCTION, TESTNET, Hosts, Rest, now_ms
from litehedge.venues.bybit_stops import PAGES, Stops, open_rows
from litehedge.venues.bybit_stream import PrivateStream
from litehedge.venues.bybit_trade import CREATE, TradeSocket
from litehedge.venues.bybit_values import NS_PER_MS, time_ns
from litehedge.venues.keys import Keys
from litehedge.venues.limiter import Waiter

__all__ = ["PRODUCTION", "TESTNET", "BybitClient", "BybitMarket", "Hosts", "Keys"]

RIGHTS_LIVE_S: Final = 600.0
LONGEST_PAST_MS: Final = 6 * 86_400_000  # a question that begins earlier ends before today
NO_DEAD_MAN: Final = (
    "bybit cancels orders on disconnection for institutions only; orders are immediate or cancel, "
    "so none is left lying, and protective stops stay at the venue"
)


class _Ear:
    """Where the trading socket speaks of its health: nowhere, until somebody listens."""

    def __init__(self) -> None:
        self.out: Outlet | None = None
        self._last: tuple[str, Health, str] | None = None

    def listen(self, out: Outlet) -> None:
        self.out = out
        if self._last is not None:
            out.health(*self._last)

    def now_ns(self) -> int:
        return time.time_ns()

    def put(self, event: AnyEvent) -> None:
        if self.out is not None:
            self.out.put(event)

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        if self.out is not None:
            self.out.bad(source, error, payload)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        self._last = (source, state, detail)
        if self.out is not None:
            self.out.health(source, state, detail)


class BybitClient:
    """One unified account at Bybit, and one of its USDT contracts.

    Parameters
    ----------
    waiter
        Limits that this account shares with others behind the same address; own ones when left out.
    clock_ms
        The clock that signs requests: this machine's, milliseconds since 1970.
    """

    why_no_dead_man = NO_DEAD_MAN

    def __init__(
        self,
        keys: Keys,
        hosts: Hosts = PRODUCTION,
        symbol: str = "LTCUSDT",
        *,
        waiter: Waiter | None = None,
        clock_ms: Callable[[], int] = now_ms,
        timeout_s: float = 10.0,
    ) -> None:
        self._keys = keys
        self._hosts = hosts
        self._symbol = symbol
        self._waiter = waiter
        self._clock_ms = clock_ms
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._rest: Rest | None = None
        self._made_stops: Stops | None = None
        self._trade: TradeSocket | None = None
        self._trading: asyncio.Task[None] | None = None
        self._ear = _Ear()
        self._mirror = AccountMirror(symbol)
        self._rights: KeyRights | None = None
        self._rights_s = 0.0

    def __repr__(self) -> str:
        return f"BybitClient({self._symbol}, {self._keys!r})"

    @property
    def name(self) -> str:
        """The venue."""
        return "bybit"

    async def open(self) -> None:
        """Connect, and make sure that the key is known.

        Raises
        ------
        WrongSetup
            When key, permissions or clock do not allow trading.
        VenueDown
            When Bybit is not reached.
        """
        if self._session is not None:
            return
        self._session = aiohttp.ClientSession()
        self._rest = Rest(
            self._session, self._hosts.rest, self._keys, self._waiter, self._clock_ms,
            self._timeout_s,
        )  # fmt: skip
        self._made_stops = Stops(self._rest, self._symbol, self._clock_ms)
        self._trade = TradeSocket(
            self._hosts.trade, self._keys, self._rest, self._clock_ms, min(5.0, self._timeout_s)
        )
        try:
            await self._key_rights(fresh=True)
        except VenueError:
            await self.close()
            raise
        self._trading = asyncio.create_task(self._trade.run(self._session, self._ear))

    async def close(self) -> None:
        """Let go of every connection."""
        if self._trading is not None:
            self._trading.cancel()
            await asyncio.gather(self._trading, return_exceptions=True)
            self._trading = None
        if self._session is not None:
            await self._session.close()
        self._session = self._rest = self._trade = self._made_stops = None

    @property
    def _stops(self) -> Stops:
        if self._made_stops is None:
            raise VenueDown("the connection to bybit is not open", errors.AS_IT_WAS)
        return self._made_stops

    @property
    def _asks(self) -> Rest:
        if self._rest is None:
            raise VenueDown("the connection to bybit is not open", errors.AS_IT_WAS)
        return self._rest

    async def clock_skew_ms(self) -> float:
        """Return by how much this machine's clock is ahead of Bybit's."""
        before_ms = self._clock_ms()
        answer = await self._asks.get("/v5/market/time", "the time of bybit")
        return 0.5 * (before_ms + self._clock_ms()) - answer.time

    async def contract(self) -> Contract:
        """Return the rules of the contract, its tiers, and our fees."""
        asks, about = self._asks, {"category": "linear", "symbol": self._symbol}
        instruments, tiers, fees = await asyncio.gather(
            asks.get("/v5/market/instruments-info", f"the contract {self._symbol}", **about),
            asks.get("/v5/market/risk-limit", f"the risk limits of {self._symbol}", **about),
            asks.get("/v5/account/fee-rate", "our fees", **about),
        )
        with _Readable("the contract"):
            return contract_of(instruments.result, tiers.result, fees.result, self._symbol)

    async def account(self) -> AccountReport:
        """Return what the account holds. USDT alone is the wallet, whatever else backs it.

        It is of the time of the earliest answer: a later one may know of what another does not.
        """
        asks, about = self._asks, {"category": "linear", "symbol": self._symbol}
        rights, wallet, positions, everywhere, info = await asyncio.gather(
            self._key_rights(),
            asks.get("/v5/account/wallet-balance", "the wallet", accountType="UNIFIED"),
            asks.get("/v5/position/list", "the positions", **about),
            asks.get(
                "/v5/position/list",
                "the positions in other contracts",
                category="linear",
                settleCoin="USDT",
                limit=200,
            ),
            asks.get("/v5/account/info", "the margin mode"),
        )
        with _Readable("the account"):
            isolated = is_isolated(info.result)
            return self._mirror.whole(
                positions_of(positions.result),
                wallet_of(wallet.result),
                isolated,
                rights,
                time_ns(min(wallet.time, positions.time, everywhere.time), "time of an answer"),
                others_of(everywhere.result, self._symbol, isolated),
            )

    async def _key_rights(self, fresh: bool = False) -> KeyRights:
        now_s = time.monotonic()
        if fresh or self._rights is None or now_s - self._rights_s > RIGHTS_LIVE_S:
            answer = await self._asks.get("/v5/user/query-api", "what the key may do")
            with _Readable("what the key may do"):
                self._rights = key_rights(answer.result)
            self._rights_s = now_s
        return self._rights

    async def place(self, order: VenueOrder) -> OrderReport:
        """Send an order once; it is `open` until `run` or `order` tells more.

        It goes over the trading socket, and by REST while that is not open or was not begun on.
        """
        asks, doing = self._asks, f"the order {order.client_id}"
        body = order_request(order, self._symbol)
        accepted = OrderReport(order.client_id, "open", event_ns=self._clock_ms() * NS_PER_MS)
        if self._trade is not None and self._trade.is_ready:
            await asks.turn(CREATE, doing, emergency=True)  # polls must not hold up a hedge
            try:
                await self._trade.create(body, doing)
                return accepted
            except VenueDown as error:
                if error.code.isdigit() and int(error.code) in errors.TOO_OFTEN:
                    raise
        await asks.post(CREATE, doing, body, emergency=True)
        return accepted

    async def order(self, client_id: str) -> OrderReport:
        """Return where an order stands; `missing` when neither list of Bybit has it."""
        about = {"category": "linear", "symbol": self._symbol, "orderLinkId": client_id}
        for path in ("/v5/order/realtime", "/v5/order/history"):
            try:
                answer = await self._asks.get(path, f"the order {client_id}", **about)
            except VenueError as error:
                if error.code.isdigit() and int(error.code) in errors.NO_SUCH_ORDER:
                    continue
                raise
            with _Readable(f"the order {client_id}"):
                for row in order_list(answer.result)[0]:
                    if row.order_link_id == client_id and row.symbol == self._symbol:
                        return report(row)
        return OrderReport(client_id, "missing", event_ns=self._clock_ms() * NS_PER_MS)

    async def open_orders(self) -> list[str]:
        """Return the client ids of what may still trade, stops excepted.

        An order that somebody placed without a client id stands with Bybit's own.
        """
        return [row.order_link_id or row.order_id for row in await self._resting()]

    async def _resting(self) -> list[OrderRow]:
        rows = await open_rows(self._asks, self._symbol, "the open orders")
        with _Readable("the open orders"):
            return [
                row
                for row in rows
                if row.order_status != "Untriggered" and report(row).status == "open"
            ]

    async def cancel_all(self) -> None:
        """Cancel every open order of ours; those of others, and all stops, stay."""
        for row in await self._resting():
            if not is_ours(row.order_link_id):
                continue
            body = {"category": "linear", "symbol": self._symbol, "orderLinkId": row.order_link_id}
            try:
                await self._asks.post("/v5/order/cancel", "cancelling", body, emergency=True)
            except VenueError as error:  # gone is what was wanted
                if not (error.code.isdigit() and int(error.code) in errors.NO_SUCH_ORDER):
                    raise

    async def set_protective_stop(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        """Place or replace the stop that closes a leg when the mark passes a price.

        There is a stop at every moment in between; see `bybit_stops`.
        """
        await self._stops.put(closes, trigger_usdt)

    async def protective_stops(self) -> list[StopReport]:
        """Return our protective stops that wait for their trigger."""
        return await self._stops.armed()

    async def remove_protective_stop(self, position_side: PositionSide) -> None:
        """Take the stops of a leg away; those that are not there are what was wanted."""
        await self._stops.remove(position_side)

    async def stop_outcome(self, stop: StopReport) -> OrderReport:
        """Return what a stop traded: triggered, it is an order like any other."""
        return await self.order(stop.client_id)

    async def arm_dead_man(self, after_ms: int) -> bool:
        """Return False: `why_no_dead_man` says why."""
        del after_ms
        return False

    async def set_leverage(self, leverage: int) -> None:
        """Set the leverage of the contract, of both sides."""
        body = {
            "category": "linear", "symbol": self._symbol,
            "buyLeverage": str(leverage), "sellLeverage": str(leverage),
        }  # fmt: skip
        await self._asks.post("/v5/position/set-leverage", f"leverage {leverage}x", body)

    async def set_hedge_mode(self, on: bool) -> None:
        """Hold long and short legs apart (on), or netted."""
        body = {"category": "linear", "symbol": self._symbol, "mode": 3 if on else 0}
        doing = "hedge mode" if on else "one-way mode"
        await self._asks.post("/v5/position/switch-mode", doing, body)

    async def run(self, tell: Callable[[Report], None], out: Outlet) -> None:
        """Tell what happens to the account until cancelled."""
        if self._session is None:
            raise VenueDown("the connection to bybit is not open", errors.AS_IT_WAS)
        self._ear.listen(out)
        stream = PrivateStream(
            self._hosts.private, self._keys, self._symbol, self._mirror,
            self.account, self._executions_since, clock_ms=self._clock_ms,
        )  # fmt: skip
        try:
            await stream.run(self._session, tell, out)
        finally:
            self._ear.out = None

    async def _executions_since(self, since_ms: int) -> list[ExecutionRow]:
        """Return what was executed since then, oldest first."""
        rows: list[ExecutionRow] = []
        since_ms = max(since_ms, self._clock_ms() - LONGEST_PAST_MS)
        cursor = ""
        for _ in range(PAGES):
            answer = await self._asks.get(
                "/v5/execution/list", "past executions", category="linear", symbol=self._symbol,
                startTime=since_ms, limit=100, cursor=cursor,
            )  # fmt: skip
            with _Readable("past executions"):
                page, cursor = execution_list(answer.result)
            rows += page
            if not cursor or not page:
                break
        return rows[::-1]


class _Readable:
    """Makes an answer that cannot be read an error of the venue: nothing was changed by asking."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BadMessage):
            raise VenueDown(f"{self._doing}: {error.what}", "it is asked again") from None


if TYPE_CHECKING:  # the type checker proves that it fits
    _FITS: type[VenueClient] = BybitClient
