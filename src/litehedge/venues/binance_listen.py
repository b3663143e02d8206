"""Listening to what happens to our account on Binance: the user stream, kept open and renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import aiohttp

from litehedge.errors import BadMessage, VenueDown, VenueError, VenueRefused, WrongSetup
from litehedge.net import Wire, keep_socket
from litehedge.orders.reports import AccountReport, Report
from litehedge.ports import Outlet
from litehedge.venues import binance_account as parse
from litehedge.venues.binance_link import CLOCK_AGE_S, PING_S, QUIET_S, Quiet, Rest
from litehedge.venues.binance_user import UserStream

T = TypeVar("T")

USER_EVENTS: Final = "/".join(
    (
        "ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE",
        "MARGIN_CALL", "ALGO_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "listenKeyExpired",
    )
)  # fmt: skip
KEEP_KEY_S: Final = 1800.0  # a listen key lives for an hour
AGAIN_S: Final = 1.0


class Listener:
    """Tells what happens to an account.

    Parameters
    ----------
    session, rest
        What connects, and what asks Binance.
    symbol
        The contract.
    account
        Asks for the whole account.
    keep_key_s
        Every how many seconds the listen key is kept alive.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        rest: Rest,
        symbol: str,
        account: Callable[[], Awaitable[AccountReport]],
        *,
        keep_key_s: float = KEEP_KEY_S,
    ) -> None:
        self._session = session
        self._rest = rest
        self._account = account
        self._keep_key_s = keep_key_s
        self._user = UserStream(symbol)

    async def run(self, tell: Callable[[Report], None], out: Outlet) -> None:
        """Tell until cancelled. A listen key that ends is replaced by a new one."""
        clock = asyncio.get_running_loop().time
        while True:
            renew, began = asyncio.Event(), clock()
            tasks = [
                asyncio.create_task(self._listen(tell, out, renew)),
                asyncio.create_task(self._keep_key(renew)),
                asyncio.create_task(self._keep_clock()),
                asyncio.create_task(_wait(renew)),
            ]
            try:
                done, _ = await asyncio.wait(
                    tasks, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()  # a mistake of ours is not hidden
            if clock() - began < AGAIN_S:
                await asyncio.sleep(AGAIN_S)  # keys that end at once are not asked for in a rush

    async def _listen(
        self, tell: Callable[[Report], None], out: Outlet, renew: asyncio.Event
    ) -> None:
        quiet = Quiet()
        quiet.out = out
        ask_again = asyncio.Event()

        async def address() -> str:
            key = await _or_down(self._new_key())
            quiet.secret = key
            return f"{self._rest.hosts.stream}/private/ws?listenKey={key}&events={USER_EVENTS}"

        async def opened(_: Wire) -> None:
            report = await _or_down(self._account())
            self._user.begin(report)
            tell(report)

        def message(payload: bytes) -> None:
            try:
                told = self._user.read(payload)
            except BadMessage:
                ask_again.set()  # it may have told a change
                raise
            for report in told.reports:
                tell(report)
            if told.warning:
                out.health("binance.user", "ok", told.warning)
            if told.ask_account:
                ask_again.set()
            if told.renew_key:
                renew.set()

        async def keep_asking() -> None:
            while True:
                await ask_again.wait()
                ask_again.clear()
                try:
                    report = await self._account()
                except VenueError:
                    ask_again.set()
                    await asyncio.sleep(AGAIN_S)
                    continue
                if self._user.took(report):
                    tell(report)
                else:  # something newer came while it was on its way
                    ask_again.set()
                await asyncio.sleep(AGAIN_S)  # many wishes are one question

        asking = asyncio.create_task(keep_asking())
        try:
            await keep_socket(
                self._session, "binance.user", address, quiet, opened=opened, message=message,
                silence_s=QUIET_S, ping_s=PING_S,
            )  # fmt: skip
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _new_key(self) -> str:
        body = await self._rest.send("POST", "/fapi/v1/listenKey", {}, "a listen key", signed=False)
        return parse.listen_key(body)

    async def _keep_key(self, renew: asyncio.Event) -> None:
        wait_s = self._keep_key_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self._rest.send(
                    "PUT", "/fapi/v1/listenKey", {}, "the listen key", signed=False
                )
                wait_s = self._keep_key_s
            except VenueError as error:
                if error.code == "-1125":
                    renew.set()
                wait_s = min(60.0, self._keep_key_s)

    async def _keep_clock(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_AGE_S)
            try:
                await self._rest.sync_clock()
            except VenueError:
                continue


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _or_down(asked: Awaitable[T]) -> T:
    """Wait; a refusal means that the stream cannot be had now, and is tried again."""
    try:
        return await asked
    except (VenueRefused, WrongSetup, BadMessage) as error:
        raise VenueDown(error.what, error.remedy) from None
