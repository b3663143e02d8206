"""litecoinspace.org, or any explorer of that kind, as a source of whale transfers.

It needs no key. What entered the mempool last is asked for every two seconds, its websocket tells
of blocks, and blocks are read whole, so that what was missed is met in one. It is a public
service: of each block one page of 25 transactions is asked for at a time, and when it says that
it is asked too often, it is left alone for as long as it says.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from litehedge.errors import BadMessage, VenueDown, VenueError
from litehedge.feeds.onchain import KnownBlocks, Teller
from litehedge.feeds.onchain_whales import Remembered, Whales
from litehedge.feeds.onchain_wire import (
    Block,
    Recent,
    space_blocks,
    space_push,
    space_recent,
    space_transaction,
    space_transactions,
)
from litehedge.feeds.polite import Busy, checked
from litehedge.net import Pause, Wire, ask, keep_socket
from litehedge.ports import Outlet

API_URL: Final = "https://litecoinspace.org/api"
PUSH_URL: Final = "wss://litecoinspace.org/api/v1/ws"
PAGE: Final = 25
WANTED: Final = (
    '{"action":"init"}',
    '{"action":"want","data":["blocks","stats","mempool-blocks"]}',
)
PING: Final = '{"action":"ping"}'


class LitecoinSpace:
    """Whale transfers from an explorer.

    Parameters
    ----------
    session
        For everything; the caller closes it.
    whales
        What is told, shared with other sources of the chain.
    price_usdt
        Returns the price of a coin, NaN while it is not known.
    api_url, push_url
        Of the explorer; an empty `push_url` does without the websocket.
    recent_s, blocks_s
        How often the mempool's last transactions and the last blocks are asked for.
    """

    name = "onchain.litecoinspace"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        whales: Whales,
        price_usdt: Callable[[], float],
        *,
        api_url: str = API_URL,
        push_url: str = PUSH_URL,
        recent_s: float = 2.0,
        blocks_s: float = 60.0,
        pause: Pause | None = None,
    ) -> None:
        self._session = session
        self._whales = whales
        self._price_usdt = price_usdt
        self._api = api_url.rstrip("/")
        self._push = push_url
        self._recent_s = recent_s
        self._blocks_s = blocks_s
        self._pause = pause or Pause(first_s=max(0.1, recent_s), longest_s=300.0)
        self._blocks = KnownBlocks()
        self._looked = Remembered()
        self._block_came = asyncio.Event()
        self._pushed: asyncio.Queue[Recent] = asyncio.Queue(1000)
        self._down = {"mempool": "", "blocks": ""}

    def __repr__(self) -> str:
        return f"LitecoinSpace({self._api})"

    async def run(self, out: Outlet) -> None:
        """Put transfers until cancelled."""
        teller = Teller(self.name, self._whales, self._price_usdt, out)
        out.health(self.name, "starting")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(teller, "mempool", self._recent))
            group.create_task(self._every(teller, "blocks", self._new_blocks))
            if self._push:
                group.create_task(self._keep_push(teller, out))

    async def _every(self, teller: Teller, what: str, do: Callable[[Teller], Any]) -> None:
        """Do one thing for ever, more slowly while it fails."""
        pause = Pause(self._pause.first_s, self._pause.longest_s)
        usual_s = self._recent_s if what == "mempool" else self._blocks_s
        while True:
            wait_s = usual_s
            try:
                await do(teller)
                self._down[what] = ""
                pause = Pause(self._pause.first_s, self._pause.longest_s)
            except (VenueError, BadMessage) as error:
                self._down[what] = f"{what}: {error}"
                wait_s = max(usual_s, pause.after(0.0))
                if isinstance(error, Busy):
                    wait_s = max(wait_s, error.wait_s)
            why = "; ".join(words for words in self._down.values() if words)
            teller.health("down" if why else "ok", why or teller.tags_words())
            if what == "mempool" or self._down[what]:
                await asyncio.sleep(wait_s)
            else:
                await self._wait_block(wait_s)

    async def _wait_block(self, wait_s: float) -> None:
        self._block_came.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._block_came.wait()
        except TimeoutError:
            pass

    # --- what is asked ---

    async def _recent(self, teller: Teller) -> None:
        seen = await self._ask(teller, space_recent, "/mempool/recent")
        while not self._pushed.empty():
            seen.append(self._pushed.get_nowait())
        for one in seen:
            if one.txid in self._looked or not teller.is_large(one.litoshi):
                continue
            tx = await self._ask(teller, space_transaction, f"/tx/{one.txid}")
            self._looked.add(one.txid)
            teller.transaction(tx)

    async def _new_blocks(self, teller: Teller) -> None:
        blocks: list[Block] = await self._ask(teller, space_blocks, "/v1/blocks")
        first = self._blocks.is_new
        for block in blocks:
            if first:
                self._blocks.add(block.block_hash)
            elif block.block_hash not in self._blocks:
                with contextlib.suppress(BadMessage):  # counted; it stays unreadable
                    await self._whole_block(teller, block)
                self._blocks.add(block.block_hash)

    async def _whole_block(self, teller: Teller, block: Block) -> None:
        for start in range(0, block.count, PAGE):
            page = f"/block/{block.block_hash}/txs/{start}"
            for tx in await self._ask(teller, space_transactions, page):
                teller.transaction(tx, block)

    async def _ask(self, teller: Teller, read: Callable[[bytes], Any], path: str) -> Any:
        answer = await ask(self._session, "GET", self._api + path)
        body = checked(answer, teller.now_ns())
        if body is None:
            raise VenueDown(f"the explorer answers with status {answer.status}")
        try:
            return read(body)
        except BadMessage as error:
            teller.bad(error, body[:4096])
            raise

    # --- what is pushed ---

    async def _keep_push(self, teller: Teller, out: Outlet) -> None:
        async def address() -> str:
            return self._push

        async def opened(wire: Wire) -> None:
            for text in WANTED:
                await wire.send(text)

        await keep_socket(
            self._session, f"{self.name}.push", address, out,
            opened=opened, message=self._message, silence_s=90.0, heartbeat=(PING, 30.0),
        )  # fmt: skip

    def _message(self, payload: bytes) -> None:
        recent, block = space_push(payload)
        for one in recent:
            if not self._pushed.full():
                self._pushed.put_nowait(one)
        if block is not None:
            self._block_came.set()
