"""One account on a venue that ccxt knows, behind `VenueClient`, where there is no native client.

ccxt is asked for signing, symbols and shapes. What it would do by itself is taken from it: its own
limiter waits 200 ms before an order, its ids carry a broker's prefix, its requests may be repeated.
An order is sent once. What became of it is asked by our id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, Final, Protocol

from litehedge.errors import (
    VenueDown,
    VenueError,
    VenueRefused,
    VenueUnknown,
    WrongSetup,
)
from litehedge.orders.manager import PREFIX
from litehedge.orders.reports import (
    FINAL,
    AccountReport,
    Contract,
    OrderReport,
    PositionSide,
    Report,
    StopReport,
    VenueOrder,
)
from litehedge.orders.stops import CANNOT
from litehedge.ports import Outlet
from litehedge.venues import ccxt_account, ccxt_read
from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_facts import order_params, venue_named
from litehedge.venues.ccxt_ids import from_venue, is_hashed, to_venue
from litehedge.venues.ccxt_make import TIMEOUT_MS, credentials, make_exchange
from litehedge.venues.keys import Keys
from litehedge.venues.limits import LIMITS, penalty_s

BUSY_S: Final = 10.0


class Limiter(Protocol):
    """What keeps us below a venue's limits; `emergency` may use what is held back for it."""

    async def wait(self, cost: str, emergency: bool = False) -> None:
        """Return when a request of that kind (`venues.limits`) may go out."""
        ...

    def pause(self, for_s: float) -> None:
        """Let nothing pass for so long."""
        ...


class Unlimited:
    """Lets everything pass."""

    async def wait(self, cost: str, emergency: bool = False) -> None:
        """Return at once."""

    def pause(self, for_s: float) -> None:
        """Wait for nothing."""


class CcxtClient:
    """A `VenueClient` through ccxt.

    Parameters
    ----------
    name
        One of `ccxt_facts.VENUES`.
    isolated, leverage
        How the account holds its legs; KuCoin wants the leverage on every order.
    hedge_mode
        What the mode is taken for where the venue does not tell.
    rewrite
        Turns ccxt's tree of addresses into another, for a fake venue.
    """

    def __init__(
        self,
        name: str,
        keys: Keys,
        *,
        limiter: Limiter | None = None,
        isolated: bool = False,
        leverage: int = 1,
        hedge_mode: bool = False,
        testnet: bool = False,
        rewrite: Callable[[Any], Any] | None = None,
        timeout_ms: int = TIMEOUT_MS,
        poll_s: float = 5.0,
    ) -> None:
        self.venue = venue_named(name)
        self._keys, self._rewrite, self._timeout_ms = keys, rewrite, timeout_ms
        self._limiter: Limiter = Unlimited() if limiter is None else limiter
        self._isolated, self._leverage, self._hedge_mode = isolated, leverage, hedge_mode
        self._poll_s, self._testnet = poll_s, testnet
        self._exchange: Any = None
        self._contract_ltc = Decimal(1)
        self._ahead_ms = 0.0  # by how much this machine's clock is ahead, as last measured
        self._unsettled: dict[str, None] = {}
        self._has_stop = False

    @property
    def name(self) -> str:
        """The venue."""
        return self.venue.name

    async def open(self) -> None:
        """Load the markets and ask what ccxt would ask before the first order."""
        missing = [name for name, told in credentials(self.venue, self._keys).items() if not told]
        if missing:
            raise WrongSetup(
                f"{self.name} needs {' and '.join(missing)}", "set them and start again"
            )
        if not self.venue.hedges and self._hedge_mode:
            raise WrongSetup(f"{self.name} has no hedge mode", "hold the hedge on another venue")
        self._exchange = make_exchange(
            self.venue, self._keys, self._rewrite, self._timeout_ms, testnet=self._testnet
        )
        try:
            with self._said("its markets were not loaded"):
                await self._exchange.load_markets()
                market = self._exchange.market(self.venue.symbol)
                for method in self.venue.warm:
                    asks_uta = method == "handle_uta_and_params"
                    await getattr(self._exchange, method)(
                        *(({}, "createOrder") if asks_uta else ())
                    )
        except VenueError:
            await self.close()
            raise
        self._contract_ltc = ccxt_read.exact(market.get("contractSize") or 1, "contract size")

    async def close(self) -> None:
        """Close every connection of ccxt."""
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            await exchange.close()

    async def clock_skew_ms(self) -> float:
        """Return by how much this machine is ahead; the answer is taken for half way old."""
        exchange = await self._ready("market")
        with self._said("its clock was not read"):
            before_ms = exchange.milliseconds()
            if exchange.has.get("fetchTime"):
                venue_ms = await exchange.fetch_time()
            else:
                answer = await exchange.publicGetTickers()
                venue_ms = exchange.parse8601(answer["serverTime"])
            self._ahead_ms = 0.5 * (before_ms + exchange.milliseconds()) - float(venue_ms)
        return self._ahead_ms

    async def contract(self) -> Contract:
        """Return the rules of the contract, its tiers, and our fees."""
        exchange = await self._ready("market")
        with self._said("the contract was not read"):
            return await ccxt_account.contract(self.venue, exchange, self._contract_ltc)

    async def account(self) -> AccountReport:
        """Return wallet, legs and mode."""
        exchange = await self._ready("account")
        with self._said("the account was not read"):
            return await ccxt_account.account(
                self.venue,
                exchange,
                self._contract_ltc,
                hedge_mode=self._hedge_mode,
                leverage=self._leverage,
                ahead_ms=self._ahead_ms,
            )

    async def place(self, order: VenueOrder) -> OrderReport:
        """Send an order once; it never rests."""
        exchange = self._opened()
        contracts = self._on_grid(exchange, order)
        params = order_params(self.venue, order, isolated=self._isolated, leverage=self._leverage)
        await self._limiter.wait("order", True)  # polls must not hold up a hedge
        self._unsettled[order.client_id] = None
        try:
            with self._said(f"order {order.client_id}", places=True):
                report = await ccxt_account.place(
                    self.venue, exchange, order, contracts, params, self._contract_ltc
                )
        except VenueUnknown:
            raise
        except VenueError:
            self._unsettled.pop(order.client_id, None)
            raise
        self._settle(report)
        return report

    def _on_grid(self, exchange: Any, order: VenueOrder) -> Decimal:
        """Return the size in contracts.

        Raises
        ------
        VenueRefused
            When size or limit do not lie on the venue's grid: ccxt would round them silently.
        """
        symbol = self.venue.symbol
        contracts = order.qty_ltc / self._contract_ltc
        with self._said(f"order {order.client_id} was not sent"):
            sent = Decimal(exchange.amount_to_precision(symbol, contracts))
            price = Decimal(exchange.price_to_precision(symbol, order.limit_usdt))
        if sent != contracts or contracts <= 0:
            what = f"{self.name}: {order.qty_ltc} LTC is no whole number of lots"
            raise VenueRefused(what, "round it to the contract's lot")
        if price != order.limit_usdt:
            what = f"{self.name}: a limit of {order.limit_usdt} lies between two ticks"
            raise VenueRefused(what, "round it to the contract's tick")
        return contracts

    async def order(self, client_id: str) -> OrderReport:
        """Ask where an order stands, by our id."""
        exchange = await self._ready("query", emergency=True)
        with self._said(f"order {client_id} was not found out"):
            report = await ccxt_account.order(self.venue, exchange, client_id, self._contract_ltc)
        self._settle(report)
        return report

    async def open_orders(self) -> list[str]:
        """Return our ids of what rests; the venue's own id for what is not ours.

        An id of ours that the venue holds as a hash stands with `PREFIX` and that hash.
        """
        return [self._our_id(one) or str(one["id"]) for one in await self._resting()]

    def _our_id(self, one: Mapping[str, Any]) -> str | None:
        spelt = str(one.get("clientOrderId") or "")
        if is_hashed(self.venue.ids, spelt):
            return f"{PREFIX}{spelt}"
        return from_venue(self.venue.ids, spelt)

    async def cancel_all(self) -> None:
        """Cancel what rests of ours, one by one: a venue's own "cancel all" takes more."""
        exchange = self._opened()
        for one in await self._resting():
            if self._our_id(one) is None:
                continue
            await self._limiter.wait("cancel", True)
            with self._said(f"order {one['id']} was not cancelled", changes=True):
                await ccxt_account.cancel(exchange, one["id"], self.venue.symbol)

    async def _resting(self) -> list[Mapping[str, Any]]:
        exchange = await self._ready("query", emergency=True)
        with self._said("open orders were not read"):
            told = await exchange.fetch_open_orders(self.venue.symbol)
        return [one for one in told if not ccxt_account.is_stop(one)]

    async def set_protective_stop(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        """Place the new stop, then cancel ours of before: there is never none."""
        exchange = await self._ready("stop", emergency=True)
        self._on_grid(exchange, closes)
        doing = f"the protective stop at {trigger_usdt} was not set"
        with self._said(doing, changes=True):
            await ccxt_account.replace_stop(
                self.venue,
                exchange,
                closes,
                trigger_usdt,
                self._contract_ltc,
                isolated=self._isolated,
                leverage=self._leverage,
            )
        self._has_stop = True

    async def protective_stops(self) -> list[StopReport]:
        """Return our protective stops that wait for their trigger.

        Raises
        ------
        VenueRefused
            With the code `CANNOT` where ccxt does not know how this venue is told to watch a mark.
        """
        if not self.venue.stop:
            told = f"litehedge cannot place stops at {self.name}: none protects the position there"
            raise VenueRefused(told, "watch it yourself, or move it to another venue", code=CANNOT)
        exchange = await self._ready("query", emergency=True)
        with self._said("the protective stops were not read"):
            found = await ccxt_account.stops(self.venue, exchange, self._contract_ltc)
        return [stop for _, stop in found]

    async def remove_protective_stop(self, position_side: PositionSide) -> None:
        """Cancel our stops of a leg."""
        exchange = await self._ready("stop", emergency=True)
        with self._said("the protective stop was not cancelled", changes=True):
            asked = dict(self.venue.stops_asked or {})
            for order_id, stop in await ccxt_account.stops(
                self.venue, exchange, self._contract_ltc
            ):
                if stop.position_side == position_side:
                    await ccxt_account.cancel(exchange, order_id, self.venue.symbol, asked)
        self._has_stop = False

    async def stop_outcome(self, stop: StopReport) -> OrderReport:
        """Return `missing`: what came of a stop has an id that no venue tells in the same way."""
        return OrderReport(stop.client_id, "missing")

    async def arm_dead_man(self, after_ms: int) -> bool:
        """Arm the switch where the venue has one that leaves the protective stop alone.

        Kraken's cancels stops too: while one of ours is set it is not armed, and this is False.
        """
        can = self.venue.dead_man != "no" and not (
            self.venue.dead_man == "takes stops" and self._has_stop and after_ms > 0
        )
        if not can:
            return False
        exchange = await self._ready("dead_man")
        least, most = self.venue.dead_man_ms
        wait_ms = 0 if after_ms <= 0 else min(max(after_ms, least), most)
        with self._said("the dead-man switch was not armed", changes=True):
            if self.venue.ccxt_id == "binanceusdm":
                asked = {"symbol": "LTCUSDT", "countdownTime": wait_ms}
                await exchange.fapiPrivatePostCountdownCancelAll(asked)
            else:
                await exchange.cancel_all_orders_after(wait_ms)
        return True

    async def set_leverage(self, leverage: int) -> None:
        """Set the leverage of the contract."""
        exchange = await self._ready("settings")
        mode = "isolated" if self._isolated else "cross"
        with self._said(f"leverage {leverage} was not set", changes=True):
            await ccxt_account.set_leverage(self.venue, exchange, leverage, mode)
        self._leverage = leverage

    async def set_hedge_mode(self, on: bool) -> None:
        """Hold long and short legs apart, or netted; a venue that has this mode says nothing."""
        if not self.venue.hedges:
            if on:
                told = f"{self.name} has no hedge mode"
                raise WrongSetup(told, "hold the hedge on another venue")
            return
        exchange = await self._ready("settings")
        with self._said("the position mode was not set", changes=True):
            await ccxt_account.set_hedge_mode(self.venue, exchange, on)
        self._hedge_mode = on

    async def run(self, tell: Callable[[Report], None], out: Outlet) -> None:
        """Tell what happens: orders as ccxt hears of them, what is unsettled by asking, and the
        account every few seconds and after every connection."""
        from litehedge.venues.ccxt_run import keep_told

        await keep_told(self, tell, out, self._poll_s)

    # --- for `ccxt_run` ---------------------------------------------------------------------------

    def exchange(self) -> Any:
        """Return ccxt's object.

        Raises
        ------
        VenueDown
            Before `open`.
        """
        return self._opened()

    @property
    def contract_ltc(self) -> Decimal:
        """LTC in a contract."""
        return self._contract_ltc

    def unsettled(self) -> list[str]:
        """Return our ids of the orders that were sent, and whose end is not known."""
        return list(self._unsettled)

    def heard(self, told: Mapping[str, Any]) -> OrderReport | None:
        """Read an order that ccxt heard of; None where it is not ours.

        Raises
        ------
        BadMessage
            When it cannot be read.
        """
        ours = from_venue(self.venue.ids, str(told.get("clientOrderId") or ""))
        if ours is None:
            spelt = str(told.get("clientOrderId") or "")
            ours = next((i for i in self._unsettled if to_venue(self.venue.ids, i) == spelt), None)
        if ours is None:
            return None
        report = ccxt_read.order_report(told, ours, self._contract_ltc)
        self._settle(report)
        return report

    def forget(self, client_id: str) -> None:
        """Ask no more for an order that the venue does not know."""
        self._unsettled.pop(client_id, None)

    def _settle(self, report: OrderReport) -> None:
        if report.status in FINAL:
            self._unsettled.pop(report.client_id, None)

    def _opened(self) -> Any:
        if self._exchange is None:
            raise VenueDown(f"{self.name} was not opened", "open it first")
        return self._exchange

    def _said(
        self, doing: str, *, changes: bool = False, places: bool = False
    ) -> AbstractContextManager[None]:
        """Say failures in our words; one that means "too often" silences us for a while."""
        return translated(self.name, doing, changes=changes, places=places, busy=self._calm)

    def _calm(self) -> None:
        told = getattr(self._exchange, "last_response_headers", None)
        named = {str(k).lower(): str(v) for k, v in told.items()} if told else {}
        limited = LIMITS.get(self.name)
        self._limiter.pause(penalty_s(self.name, 429, named) if limited is not None else BUSY_S)

    async def _ready(self, cost: str, emergency: bool = False) -> Any:
        exchange = self._opened()
        await self._limiter.wait(cost, emergency)
        return exchange


__all__ = ["CcxtClient", "Limiter", "Unlimited", "make_exchange"]
