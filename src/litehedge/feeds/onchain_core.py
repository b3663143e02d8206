"""Litecoin Core as a source of whale transfers: JSON-RPC, and ZMQ where it is set up.

ZMQ tells of a transaction as it enters the mempool; RPC decodes it and says what its inputs held.
Blocks are walked by RPC whatever ZMQ says, so that what ZMQ dropped is met in a block. The node
needs no transaction index: what a transaction in the mempool spends is still in its set of
unspent outputs. A transaction that is met only in a block needs one (``txindex=1``), or a node
that says with a block what its inputs held; without either its deposits are not told.

Node: ``zmqpubsequence=tcp://127.0.0.1:28332`` or ``zmqpubhashtx=...`` in litecoin.conf.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from yarl import URL  # comes with aiohttp

from litehedge.errors import BadMessage, VenueDown, VenueError
from litehedge.feeds.onchain import KnownBlocks, Teller
from litehedge.feeds.onchain_whales import Remembered, Whales
from litehedge.feeds.onchain_wire import (
    Block,
    Output,
    Reply,
    Transaction,
    core_block,
    core_coins,
    core_hash,
    core_hashes,
    core_transaction,
    rpc_reply,
)
from litehedge.feeds.onchain_zmq import Drops, zmq_notice
from litehedge.net import Pause, ask
from litehedge.ports import Outlet

RPC_URL: Final = "http://127.0.0.1:9332"
COOKIE: Final = Path("~/.litecoin/.cookie")
DEEPEST: Final = 24
"""Blocks that are looked at again after a silence: about an hour."""
MOST_INPUTS: Final = 200
"""Inputs of one transaction that are looked up."""
WAITING: Final = 5000
"""Notices that may wait; more are met in a block."""
_WARMING_UP: Final = -28


class LitecoinCore:
    """Whale transfers from a node. `run` needs no ZMQ; then transfers are known with the block.

    Parameters
    ----------
    session
        For RPC; the caller closes it.
    whales
        What is told, shared with other sources of the chain.
    price_usdt
        Returns the price of a coin, NaN while it is not known.
    user, password
        Of `rpcauth`; without them the cookie file is read, anew for every connection.
    zmq_address
        Such as ``tcp://127.0.0.1:28332``; empty where the node has no ZMQ.
    poll_s
        How often the tip is asked for.
    """

    name = "onchain.litecoin_core"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        whales: Whales,
        price_usdt: Callable[[], float],
        *,
        rpc_url: str = RPC_URL,
        user: str = "",
        password: str = "",
        cookie: Path = COOKIE,
        zmq_address: str = "",
        poll_s: float = 15.0,
        pause: Pause | None = None,
    ) -> None:
        self._session = session
        self._whales = whales
        self._price_usdt = price_usdt
        url = URL(rpc_url)  # one may hold a login, which is no part of where the node is
        self._url = str(url.with_user(None))
        user, password = user or url.user or "", password or url.password or ""
        self._login = f"{user}:{password}" if user else ""
        self._cookie = cookie
        self._zmq = zmq_address
        self._poll_s = poll_s
        self._pause = pause or Pause(first_s=1.0)
        self._blocks = KnownBlocks()
        self._looked = Remembered()
        self._work: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._lost = False
        self._words = "" if zmq_address else "no ZMQ: transfers are known with their block"

    def __repr__(self) -> str:
        return "LitecoinCore()"

    async def run(self, out: Outlet) -> None:
        """Put transfers until cancelled."""
        teller = Teller(self.name, self._whales, self._price_usdt, out)
        out.health(self.name, "starting")
        hears = asyncio.create_task(self._hear(teller)) if self._zmq else None
        try:
            while True:
                if await self._round(teller):
                    await self._listen(teller)
                else:
                    await asyncio.sleep(self._pause.after(0.0))
        finally:
            if hears is not None:
                hears.cancel()
                await asyncio.gather(hears, return_exceptions=True)

    async def _round(self, teller: Teller) -> bool:
        """Look at new blocks; return whether the node answered."""
        try:
            await self._new_blocks(teller)
            if self._lost:
                await self._whole_mempool(teller)
                self._lost = False
        except (VenueError, BadMessage) as error:
            teller.health("down", str(error))
            return False
        self._pause = Pause(self._pause.first_s, self._pause.longest_s)
        words = [teller.tags_words(), self._words]
        teller.health("ok", "; ".join(word for word in words if word))
        return True

    async def _listen(self, teller: Teller) -> None:
        """Look at transactions as they are heard of, until a block comes or the time is over."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._poll_s
        while (left := until - clock()) > 0:
            try:
                async with asyncio.timeout(left):
                    txid = await self._work.get()
            except TimeoutError:
                return
            if not txid:  # a block, or notices were dropped
                return
            try:
                await self._mempool(teller, txid)
            except VenueError as error:
                teller.health("down", str(error))
                return
            except BadMessage:
                continue  # counted where it was read

    # --- what is heard ---

    async def _hear(self, teller: Teller) -> None:
        try:
            zmq: Any = importlib.import_module("zmq")
            zmq_asyncio: Any = importlib.import_module("zmq.asyncio")
        except ImportError:
            self._words = "ZMQ is not heard: pip install 'litehedge[node]'"
            return
        context = zmq_asyncio.Context()
        socket = context.socket(zmq.SUB)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            for topic in (b"sequence", b"hashtx", b"hashblock"):
                socket.setsockopt(zmq.SUBSCRIBE, topic)
            try:
                socket.connect(self._zmq)  # it reconnects by itself
            except zmq.ZMQError as error:
                self._words = f"ZMQ is not heard: {self._zmq}: {error}"
                return
            drops = Drops()
            while True:
                self._heard(teller, drops, await socket.recv_multipart())
        finally:
            socket.close(0)
            context.term()

    def _heard(self, teller: Teller, drops: Drops, parts: list[bytes]) -> None:
        try:
            notice = zmq_notice(parts)
        except BadMessage as error:
            teller.bad(error, b"".join(parts)[:4096])
            return
        lost = drops.missed(notice) > 0
        self._lost = self._lost or lost
        try:
            if notice.happened == "tx":
                self._work.put_nowait(notice.of)
            if notice.happened == "block" or lost:
                self._work.put_nowait("")
        except asyncio.QueueFull:
            self._lost = True

    # --- what is asked ---

    async def _new_blocks(self, teller: Teller) -> None:
        tip = await self._ask(teller, core_hash, "getbestblockhash")
        if self._blocks.is_new:
            self._blocks.add(tip)
        new: list[Block] = []
        at = tip
        while at not in self._blocks and len(new) < DEEPEST:
            # 3 adds what inputs held; nodes that do not know it answer as to 2
            try:
                block: Block = await self._ask(teller, core_block, "getblock", at, 3)
            except BadMessage:  # counted; what cannot be read once cannot be read later
                self._blocks.add(at)
                break
            new.append(block)
            at = block.previous
        for block in reversed(new):
            for tx in block.transactions:
                if teller.is_large(tx.moved_litoshi) and not self._whales.is_told(tx.txid):
                    teller.transaction(await self._resolved(teller, tx), block)
            self._blocks.add(block.block_hash)

    async def _whole_mempool(self, teller: Teller) -> None:
        for txid in await self._ask(teller, core_hashes, "getrawmempool"):
            try:
                await self._mempool(teller, txid)
            except BadMessage:
                continue  # counted where it was read

    async def _mempool(self, teller: Teller, txid: str) -> None:
        if not self._looked.add(txid):
            return
        tx = await self._ask(teller, core_transaction, "getrawtransaction", txid, True)
        if tx is not None and teller.is_large(tx.moved_litoshi):
            teller.transaction(await self._resolved(teller, tx))

    async def _resolved(self, teller: Teller, tx: Transaction) -> Transaction:
        """Return a transaction with what its inputs held, as far as the node can say."""
        held: dict[tuple[str, int], Output] = {}
        unknown = [s for s in tx.spends if s.output is None]
        if tx.is_hogex or len(unknown) > MOST_INPUTS:
            return tx
        for s in unknown:
            output = await self._ask(
                teller, partial(core_coins, n=s.n), "gettxout", s.txid, s.n, False
            )
            if output is None:
                before = await self._ask(
                    teller, core_transaction, "getrawtransaction", s.txid, True
                )
                found = () if before is None else (o for o in before.outputs if o.n == s.n)
                output = next(iter(found), None)
            if output is None:
                break  # one unknown input is as bad as many
            held[s.txid, s.n] = output
        return tx.resolved(held)

    async def _ask(
        self, teller: Teller, read: Callable[[bytes], Any], method: str, *params: Any
    ) -> Any:
        """Ask the node and read its answer; None when it does not know the thing asked for.

        Raises `VenueDown` where nothing can be asked, `BadMessage` (counted) for what cannot be
        read.
        """
        body = msgspec.json.encode({"id": 1, "method": method, "params": params})
        headers = {"Authorization": f"Basic {self._basic()}", "Content-Type": "text/plain"}
        answer = await ask(self._session, "POST", self._url, headers=headers, body=body)
        if answer.status in (401, 403):
            raise VenueDown("the node refuses us", "look at rpcuser, the cookie and rpcallowip")
        try:
            reply: Reply = rpc_reply(answer.body)
            if reply.code is None:
                if answer.status != 200:
                    raise BadMessage(f"status {answer.status}", "it is skipped")
                return read(reply.result)
        except BadMessage as error:
            if answer.status != 200:
                raise VenueDown(f"the node answers with status {answer.status}") from None
            teller.bad(error, answer.body[:4096])
            raise
        if reply.code == _WARMING_UP or method in ("getbestblockhash", "getrawmempool"):
            raise VenueDown(f"the node says {reply.code}: {reply.message}", "it is asked again")
        if method == "getblock":
            raise VenueDown(f"the node does not give a block: {reply.message}")
        return None

    def _basic(self) -> str:
        login = self._login
        if not login:
            path = self._cookie.expanduser()
            try:
                login = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                what = f"the node's cookie {path} cannot be read ({type(error).__name__})"
                raise VenueDown(what, "is the node running? or give user and password") from None
        return base64.b64encode(login.encode()).decode()
