"""Our account on Binance USD-M: orders, protective stops, settings, and what happens to it.

Orders go over the websocket API, and over HTTP while that is not connected. Nothing is sent twice
unless Binance said that the first was not done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import aiohttp

from litehedge.errors import (
    BadMessage,
    VenueDown,
    VenueRefused,
    VenueUnknown,
)
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
from litehedge.ports import Outlet
from litehedge.units import NS_PER_MS
from litehedge.venues import binance_account as parse
from litehedge.venues import binance_rest as rules
from litehedge.venues.binance_errors import NO_NEED, NOT_THERE, error_of
from litehedge.venues.binance_link import (
    PRODUCTION,
    Hosts,
    Rest,
    WsApi,
    now_ms,
    readable,
)
from litehedge.venues.binance_listen import KEEP_KEY_S, Listener
from litehedge.venues.binance_stops import Stops
from litehedge.venues.keys import Keys

KEY_AGAIN_MS: Final = 600_000.0  # permissions that were not told are asked for again


class BinanceClient:
    """One account on Binance USD-M; implements `ports.VenueClient`.

    Parameters
    ----------
    keys
        The API key and its secret.
    symbol
        The contract.
    hosts
        Where Binance is: `PRODUCTION`, `TESTNET`, or a fake.
    clock_ms
        The time of this machine.
    keep_key_s
        Every how many seconds the listen key is kept alive.
    """

    name = "binance"

    def __init__(
        self,
        keys: Keys,
        symbol: str = "LTCUSDT",
        hosts: Hosts = PRODUCTION,
        *,
        clock_ms: Callable[[], float] = now_ms,
        keep_key_s: float = KEEP_KEY_S,
    ) -> None:
        self._keys = keys
        self._symbol = symbol
        self._hosts = hosts
        self._clock_ms = clock_ms
        self._keep_key_s = keep_key_s
        self._session: aiohttp.ClientSession | None = None
        self._links: tuple[Rest, WsApi] | None = None
        self._made_stops: Stops | None = None
        self._can_withdraw: bool | None = None
        self._key_again_ms = 0.0

    def __repr__(self) -> str:
        return f"BinanceClient({self._symbol})"

    # --- connections ------------------------------------------------------------------------

    async def open(self) -> None:
        """Compare clocks, check the key, and connect what orders go over."""
        if self._session is not None:
            return
        self._session = aiohttp.ClientSession()
        rest = Rest(self._session, self._hosts, self._keys, self._clock_ms)
        orders = WsApi(self._session, self._hosts.ws_api)
        self._links = rest, orders
        self._made_stops = Stops(rest, self._symbol, self._held_ltc)
        try:
            await rest.sync_clock()
            await self._check_key()
            orders.start()
            await orders.ready(within_s=2.0)  # without it orders go over HTTP
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of every connection."""
        if self._links is not None:
            await self._links[1].stop()
        if self._session is not None:
            await self._session.close()
        self._session = self._links = self._made_stops = None

    @property
    def _rest(self) -> Rest:
        if self._links is None:
            raise VenueDown("the Binance client is not open", "open it first")
        return self._links[0]

    @property
    def _stops(self) -> Stops:
        if self._made_stops is None:
            raise VenueDown("the Binance client is not open", "open it first")
        return self._made_stops

    async def clock_skew_ms(self) -> float:
        """Return by how much this machine's clock is ahead of Binance's, in milliseconds."""
        return await self._rest.sync_clock()

    async def _check_key(self) -> None:
        now = self._clock_ms()
        if not self._hosts.sapi or self._can_withdraw is not None or now < self._key_again_ms:
            return
        self._key_again_ms = now + KEY_AGAIN_MS  # an account must not wait for it every time
        try:
            body = await self._rest.send(
                "GET", "/sapi/v1/account/apiRestrictions", {}, "the key's permissions",
                host=self._hosts.sapi,
            )  # fmt: skip
            self._can_withdraw = parse.may_withdraw(body)
        except (VenueDown, VenueUnknown, VenueRefused, BadMessage):
            return  # not told

    # --- what is -----------------------------------------------------------------------------

    async def contract(self) -> Contract:
        """Return the rules of the contract, its tiers, and our fees."""
        rest, one = self._rest, {"symbol": self._symbol}
        info, brackets, fees, intervals = await _together(
            rest.get("/fapi/v1/exchangeInfo", {}, "the contracts"),
            rest.get("/fapi/v1/leverageBracket", one, "the tiers", signed=True),
            rest.get("/fapi/v1/commissionRate", one, "the fees", signed=True),
            rest.get("/fapi/v1/fundingInfo", {}, "the funding intervals"),
        )
        try:
            return rules.contract_of(
                info,
                self._symbol,
                tiers=rules.tiers(brackets, self._symbol),
                maker_taker=rules.fees(fees, self._symbol),
                interval_h=rules.funding_interval_h(intervals, self._symbol),
            )
        except BadMessage as error:
            raise readable(error, changes=False) from None

    async def account(self) -> AccountReport:
        """Return what the account holds."""
        rest, one = self._rest, {"symbol": self._symbol}
        event_ns = rest.venue_ms() * NS_PER_MS  # from before: what comes after is newer
        await self._check_key()
        config, symbol, positions, balances = await _together(
            rest.get("/fapi/v1/accountConfig", {}, "the account", signed=True),
            rest.get("/fapi/v1/symbolConfig", one, "the leverage", signed=True),
            rest.get("/fapi/v3/positionRisk", {}, "the positions", signed=True),
            rest.get("/fapi/v3/balance", {}, "the balances", signed=True),
        )
        try:
            return parse.account_of(
                config, symbol, positions, balances, self._symbol,
                event_ns=event_ns, can_withdraw=self._can_withdraw,
            )  # fmt: skip
        except BadMessage as error:
            raise readable(error, changes=False) from None

    # --- orders -----------------------------------------------------------------------------

    async def place(self, order: VenueOrder) -> OrderReport:
        """Send an order once. Return what is known at once; the rest comes over `run`.

        An order whose id is there already was sent before: it is asked for, not sent again.
        """
        params = parse.order_params(order, self._symbol)
        try:
            body = await self._order_call("order.place", "POST", params, "the order")
        except VenueUnknown as error:
            if error.code != "-4116":
                raise
            return await self.order(order.client_id)
        try:
            return parse.order_report(body, self._symbol)
        except BadMessage as error:
            raise readable(error, changes=True) from None

    async def _order_call(
        self, ws_method: str, http_method: str, params: dict[str, str], what: str
    ) -> bytes:
        rest = self._rest
        assert self._links is not None
        for again in (True, False):
            if self._links[1].is_ready:  # else it goes over HTTP, which waits for its own turn
                await rest.turn(http_method, "/fapi/v1/order", params, what)
            rest.may_ask(what)
            answer = await self._links[1].call(ws_method, rest.signed_params(params))
            if answer is None:
                return await rest.send(http_method, "/fapi/v1/order", params, what, changes=True)
            if 200 <= answer.status < 300 and answer.body:
                return answer.body
            rest.heed(answer.status, None, answer.body)
            error = error_of(answer.status, answer.body, what, changes=True)
            if error.code != "-1021" or not again:
                raise error
            await rest.sync_clock()  # it was certainly not done
        raise AssertionError("unreachable")

    async def order(self, client_id: str) -> OrderReport:
        """Return where an order stands; `missing` when Binance does not know it (yet)."""
        params = {"symbol": self._symbol, "origClientOrderId": client_id}
        try:
            body = await self._rest.get("/fapi/v1/order", params, "the order", signed=True)
            return parse.order_report(body, self._symbol)
        except VenueRefused as error:
            if error.code in NOT_THERE:
                return OrderReport(client_id, "missing", event_ns=self._rest.venue_ms() * NS_PER_MS)
            raise
        except BadMessage as error:
            raise readable(error, changes=False) from None

    async def open_orders(self) -> list[str]:
        """Return the client ids of the orders that may still trade; stops are not among them."""
        one = {"symbol": self._symbol}
        body = await self._rest.get("/fapi/v1/openOrders", one, "the open orders", signed=True)
        try:
            return parse.open_orders(body, self._symbol)
        except BadMessage as error:
            raise readable(error, changes=False) from None

    async def cancel_all(self) -> None:
        """Cancel every open order of ours; those of others, and all stops, stay."""
        for client_id in await self.open_orders():
            if is_ours(client_id):
                params = {"symbol": self._symbol, "origClientOrderId": client_id}
                try:
                    await self._change("DELETE", "/fapi/v1/order", params, "the cancelling")
                except VenueRefused as error:
                    if error.code not in NOT_THERE:  # gone is what was wanted
                        raise

    async def arm_dead_man(self, after_ms: int) -> bool:
        """Let Binance cancel our orders when it hears nothing for so long; 0 disarms."""
        params = {"symbol": self._symbol, "countdownTime": str(after_ms)}
        await self._change("POST", "/fapi/v1/countdownCancelAll", params, "the dead-man switch")
        return True

    # --- settings ---------------------------------------------------------------------------

    async def set_leverage(self, leverage: int) -> None:
        """Set the leverage of the contract."""
        params = {"symbol": self._symbol, "leverage": str(leverage)}
        await self._change("POST", "/fapi/v1/leverage", params, "the leverage")

    async def set_hedge_mode(self, on: bool) -> None:
        """Hold long and short legs apart (on), or netted; it holds for the whole account."""
        params = {"dualSidePosition": "true" if on else "false"}
        await self._change("POST", "/fapi/v1/positionSide/dual", params, "the position mode")

    async def set_isolated(self, on: bool) -> None:
        """Let the contract have its own margin (on), or share the account's."""
        params = {"symbol": self._symbol, "marginType": "ISOLATED" if on else "CROSSED"}
        await self._change("POST", "/fapi/v1/marginType", params, "the margin type")

    async def _change(self, method: str, path: str, params: dict[str, str], what: str) -> None:
        try:
            await self._rest.send(method, path, params, what, changes=True)
        except VenueRefused as error:
            if error.code not in NO_NEED:
                raise

    # --- protective stops -------------------------------------------------------------------

    async def stops(self) -> list[parse.Stop]:
        """Return our protective stops that are armed."""
        return await self._stops.armed()

    async def set_protective_stop(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        """Place or replace the stop that closes a leg when the mark passes a price.

        There is a stop at every moment in between; see `binance_stops`.
        """
        await self._stops.put(closes, trigger_usdt)

    async def protective_stops(self) -> list[StopReport]:
        """Return our protective stops that wait for their trigger."""
        return [parse.stop_report(stop) for stop in await self.stops()]

    async def remove_protective_stop(self, position_side: PositionSide) -> None:
        """Take the stops of a leg away."""
        await self._stops.remove(position_side)

    async def stop_outcome(self, stop: StopReport) -> OrderReport:
        """Return what a stop traded: the algo service names the order that came of it."""
        return await self._stops.outcome(stop.client_id)

    async def _held_ltc(self, side: PositionSide) -> Decimal:
        legs = {leg.position_side: leg.qty_ltc for leg in (await self.account()).legs}
        return abs(legs.get(side, Decimal(0)))

    # --- what happens -----------------------------------------------------------------------

    async def run(self, tell: Callable[[Report], None], out: Outlet) -> None:
        """Tell what happens to the account until cancelled; reconnects by itself."""
        await self.open()
        assert self._session is not None
        assert self._links is not None
        self._links[1].out.out = out
        listener = Listener(
            self._session, self._rest, self._symbol, self.account, keep_key_s=self._keep_key_s
        )
        await listener.run(tell, out)


async def _together(*asked: Awaitable[bytes]) -> tuple[bytes, ...]:
    """Wait for all; when one fails, the others are waited for too, and its error is raised."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    good = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        good.append(answer)
    return tuple(good)
