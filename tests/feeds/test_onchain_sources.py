"""A node and an explorer on loopback: told once, by the first who knows; absent, they say so."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zmq
import zmq.asyncio
from aiohttp import web
from onchain_made import (
    HOT,
    NOW_NS,
    SOMEBODY,
    TAGS,
    Kept,
    core_json,
    ended,
    fixture,
    space_json,
    txid,
    until,
)

from litehedge.feeds.onchain_core import LitecoinCore
from litehedge.feeds.onchain_space import WANTED, LitecoinSpace
from litehedge.feeds.onchain_whales import Whales
from litehedge.market.events import Transfer
from litehedge.net import Pause
from litehedge.units import NS_PER_SECOND

BLOCK_S = NOW_NS // NS_PER_SECOND - 100
QUICK = Pause(first_s=0.01, longest_s=0.02)
WHALE = core_json(7, [(1, 0)], [(HOT, 30_000.0)])
IN = Transfer(NOW_NS, NOW_NS, 3_000_000.0, True)


def price() -> float:
    return 100.0


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


class Node:
    """A Litecoin Core without transaction index: it knows its mempool and what is unspent."""

    def __init__(self) -> None:
        self.chain: list[dict[str, Any]] = [block(100, [])]
        self.mempool = {txid(7): WHALE}
        self.unspent = {(txid(1), 0): (SOMEBODY, 30_001.0)}
        self.asked: list[str] = []
        self.status = 200
        self.answer: bytes | None = None
        self.login = "me:secret"

    async def rpc(self, request: web.Request) -> web.Response:
        sent = request.headers.get("Authorization", "")
        if sent != "Basic " + base64.b64encode(self.login.encode()).decode():
            return web.Response(status=401)
        if self.answer is not None or self.status != 200:
            return web.Response(status=self.status, body=self.answer)
        body = await request.json()
        self.asked.append(body["method"])
        result = self.result(body["method"], body["params"])
        if result is KeyError:
            error = {"code": -5, "message": "No such mempool transaction. Use -txindex"}
            return web.json_response({"result": None, "error": error}, status=500)
        return web.json_response({"result": result, "error": None, "id": 1})

    def result(self, method: str, params: list[Any]) -> Any:
        if method == "getbestblockhash":
            return self.chain[-1]["hash"]
        if method == "getblock":
            return next((b for b in self.chain if b["hash"] == params[0]), KeyError)
        if method == "getrawmempool":
            return list(self.mempool)
        if method == "getrawtransaction":
            return self.mempool.get(params[0], KeyError)
        assert method == "gettxout"
        assert params[2] is False, "what the mempool spends must be found"
        held = self.unspent.get((params[0], params[1]))
        script = {"type": "scripthash", "addresses": [held[0]]} if held else {}
        return held and {"value": held[1], "scriptPubKey": script, "coinbase": False}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self.rpc)
        return app


def block(n: int, txs: list[dict[str, Any]], previous: int | None = None) -> dict[str, Any]:
    before = n - 1 if previous is None else previous
    return {
        "hash": txid(n), "previousblockhash": txid(before), "height": n, "time": BLOCK_S, "tx": txs,
    }  # fmt: skip


Scene = Callable[[Node, Kept, LitecoinCore], Any]


def with_node(scene: Scene, whales: Whales | None = None, **options: Any) -> Kept:
    """Run a scene beside a source that listens to a node."""
    out, node = Kept(), Node()

    async def main() -> None:
        async with serving(node.app()) as where, aiohttp.ClientSession() as session:
            given = {"user": "me", "password": "secret", "poll_s": 0.02, "pause": QUICK, **options}
            source = LitecoinCore(
                session, whales or Whales(TAGS), price, rpc_url=f"http://{where}", **given
            )
            task = asyncio.create_task(source.run(out))
            await scene(node, out, source)
            await ended(task)

    asyncio.run(main())
    return out


# --- a node -----------------------------------------------------------------------------------


async def started(out: Kept, name: str = LitecoinCore.name) -> None:
    await until(lambda: out.state(name) == "ok")


def test_blocks_tell_what_moved_and_the_past_tells_nothing() -> None:
    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        await started(out)
        hogex = json.loads(fixture("ltc_hogex_vout_false_whale"))
        told = json.loads(json.dumps(WHALE))
        told["vin"][0]["prevout"] = {"value": 30_001, "scriptPubKey": {"addresses": [SOMEBODY]}}
        node.chain += [block(101, [told, hogex]), block(102, [hogex])]
        await until(lambda: out.events)
        node.chain[1:] = [block(201, [told], previous=100)]  # the chain is reorganised
        before = len(node.asked)
        await until(lambda: len(node.asked) > before + 10)

    out = with_node(scene)
    assert out.events == [Transfer(BLOCK_S * NS_PER_SECOND, NOW_NS, 3_000_000.0, True)]
    assert out.bads == []
    assert "no ZMQ" in out.words()


def test_without_an_index_a_deposit_met_in_a_block_is_not_guessed() -> None:
    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        await started(out)
        node.unspent.clear()
        node.mempool.clear()
        node.chain.append(block(101, [WHALE]))
        await until(lambda: node.asked.count("getbestblockhash") > 5 and "gettxout" in node.asked)

    assert with_node(scene).events == []


def test_an_old_block_tells_nothing() -> None:
    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        await started(out)
        node.chain.append(block(101, [WHALE]) | {"time": BLOCK_S - 7200})
        await until(lambda: "gettxout" in node.asked)
        before = len(node.asked)
        await until(lambda: len(node.asked) > before + 4)

    assert with_node(scene).events == []


def test_zmq_tells_of_the_mempool_and_drops_are_made_up_for() -> None:
    async def main() -> None:
        out, node, whales = Kept(), Node(), Whales(TAGS)
        context = zmq.asyncio.Context()
        publisher = context.socket(zmq.PUB)
        publisher.setsockopt(zmq.LINGER, 0)
        port = publisher.bind_to_random_port("tcp://127.0.0.1")

        async def say(of: int, count: int, label: bytes = b"A") -> None:
            body = bytes.fromhex(txid(of)) + label + (bytes(8) if label in b"AR" else b"")
            await publisher.send_multipart([b"sequence", body, count.to_bytes(4, "little")])

        try:
            async with serving(node.app()) as where, aiohttp.ClientSession() as session:
                source = LitecoinCore(
                    session, whales, price, rpc_url=f"http://{where}", user="me",
                    password="secret", poll_s=3600, zmq_address=f"tcp://127.0.0.1:{port}",
                )  # fmt: skip
                task = asyncio.create_task(source.run(out))
                await started(out)
                count = 0
                while not out.events:  # a subscription takes a moment to arrive
                    await say(7, count)
                    count += 1
                    await asyncio.sleep(0.01)
                assert out.events == [IN]
                await publisher.send_multipart([b"sequence", b"short", bytes(4)])
                await until(lambda: out.bads)

                node.mempool[txid(8)] = core_json(8, [(2, 0)], [(HOT, 20_000.0)])
                node.unspent[txid(2), 0] = (SOMEBODY, 20_001.0)
                await say(9, count + 5)  # others were dropped, of transaction 8 too
                await until(lambda: len(out.events) == 2)
                assert out.events[1].notional_usdt == 2_000_000.0

                held = {"value": 2, "scriptPubKey": {}}
                mined = core_json(10, [(4, 0)], [(HOT, 50_000.0)])
                mined["vin"][0]["prevout"] = held
                node.chain.append(block(101, [WHALE, mined]))
                await say(101, count + 6, b"C")
                await until(lambda: len(out.events) == 3)
                await ended(task)
        finally:
            publisher.close()
            context.term()
        assert len(out.events) == 3, "what the mempool told, the block does not tell again"

    asyncio.run(main())


def test_without_pyzmq_blocks_are_heard_and_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib.import_module

    def missing(name: str, *more: Any) -> Any:
        if name.startswith("zmq"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(importlib, "import_module", missing)

    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        await until(lambda: "litehedge[node]" in out.words())
        assert out.state(source.name) == "ok"

    with_node(scene, zmq_address="tcp://127.0.0.1:1")


def test_a_wrong_password_is_said_and_not_shown() -> None:
    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        await until(lambda: out.state(source.name) == "down")
        assert "refuses us" in out.words()
        assert "hunter2" not in out.words() + repr(source)
        node.login = "me:hunter2"
        await started(out)

    assert with_node(scene, password="hunter2").events == []


def test_a_login_in_the_address_is_used_and_not_shown() -> None:
    async def main() -> None:
        out, node = Kept(), Node()
        async with serving(node.app()) as where, aiohttp.ClientSession() as session:
            url = f"http://me:secret@{where}"
            source = LitecoinCore(session, Whales(TAGS), price, rpc_url=url)
            task = asyncio.create_task(source.run(out))
            await started(out)
            await ended(task)
            assert "secret" not in out.words() + repr(source)

    asyncio.run(main())


def test_the_cookie_is_read_anew_after_the_node_started_again(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"

    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        await until(lambda: "cookie" in out.words())
        for word in ("__cookie__:one", "__cookie__:two"):
            node.login = word
            await until(lambda: out.state(source.name) == "down")
            cookie.write_text(word, encoding="utf-8")
            await started(out)

    with_node(scene, user="", cookie=cookie)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b"{}"),
        (200, b'{"result": 5}'),
        (200, b"\xff\xfe"),
        (500, b"<html>"),
        (503, b"Work queue depth exceeded"),
        (500, b'{"result":null,"error":{"code":-28,"message":"Loading block index"}}'),
    ],
)
def test_a_node_that_talks_nonsense_is_down_and_comes_back(status: int, answer: bytes) -> None:
    async def scene(node: Node, out: Kept, source: LitecoinCore) -> None:
        node.status, node.answer = status, answer
        await until(lambda: out.state(source.name) == "down")
        node.status, node.answer = 200, None
        await started(out)

    assert with_node(scene).events == []


def test_an_absent_node_is_down_and_nothing_more() -> None:
    async def main() -> None:
        out = Kept()
        async with aiohttp.ClientSession() as session:
            core = LitecoinCore(
                session, Whales(TAGS), price, rpc_url="http://127.0.0.1:9", user="me", pause=QUICK
            )
            space = LitecoinSpace(
                session, Whales(TAGS), price, api_url="http://127.0.0.1:9",
                push_url="ws://127.0.0.1:9", recent_s=0.01, blocks_s=0.01, pause=QUICK,
            )  # fmt: skip
            tasks = [asyncio.create_task(source.run(out)) for source in (core, space)]
            names = (core.name, space.name, f"{space.name}.push")
            await until(lambda: all(out.state(name) == "down" for name in names))
            for task in tasks:
                await ended(task)
        assert out.events == []

    asyncio.run(main())


# --- an explorer ------------------------------------------------------------------------------


class Explorer:
    """What litecoinspace.org answers; its websocket tells of blocks."""

    def __init__(self) -> None:
        self.blocks = [self.block(100, 1)]
        self.recent: list[dict[str, Any]] = []
        self.txs: dict[str, dict[str, Any]] = {}
        self.in_block: list[dict[str, Any]] = []
        self.pages: list[int] = []
        self.headers: dict[str, str] = {}
        self.status = 200
        self.asked = 0
        self.sockets: list[web.WebSocketResponse] = []
        self.subscribed: list[str] = []

    @staticmethod
    def block(n: int, count: int) -> dict[str, Any]:
        return {"id": txid(n), "height": n, "timestamp": BLOCK_S, "tx_count": count}

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        path = request.path.removeprefix("/api")
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        if path == "/mempool/recent":
            return web.json_response(self.recent)
        if path == "/v1/blocks":
            return web.json_response(self.blocks[::-1])
        if path.startswith("/tx/"):
            return web.json_response(self.txs[path.removeprefix("/tx/")])
        assert path.startswith("/block/")
        start = int(path.rsplit("/", 1)[1])
        self.pages.append(start)
        return web.json_response(self.in_block[start : start + 25])

    async def push(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            self.subscribed.append(message.data)
        return socket

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/ws", self.push)
        app.router.add_get("/{path:.*}", self.get)
        return app


def with_explorer(scene: Callable[[Explorer, Kept], Any], **options: Any) -> Kept:
    out, explorer = Kept(), Explorer()

    async def main() -> None:
        async with serving(explorer.app()) as where, aiohttp.ClientSession() as session:
            given = {"recent_s": 0.01, "blocks_s": 3600, "pause": QUICK, **options}
            source = LitecoinSpace(
                session, Whales(TAGS), price, api_url=f"http://{where}/api",
                push_url=f"ws://{where}/api/v1/ws", **given,
            )  # fmt: skip
            task = asyncio.create_task(source.run(out))
            await scene(explorer, out)
            await ended(task)

    asyncio.run(main())
    return out


SPACE_WHALE = space_json(7, [(1, 0, SOMEBODY, 30_001.0)], [(HOT, 30_000.0)])
SEEN = {"txid": txid(7), "fee": 1, "vsize": 1, "value": 3_000_000_000_000}


def test_the_explorer_tells_once_by_mempool_push_and_block() -> None:
    async def scene(explorer: Explorer, out: Kept) -> None:
        name = LitecoinSpace.name
        await until(lambda: out.state(name) == out.state(f"{name}.push") == "ok")
        await until(lambda: len(explorer.subscribed) == len(WANTED))
        explorer.txs[txid(7)] = SPACE_WHALE
        explorer.recent = [SEEN, {**SEEN, "txid": txid(8), "value": 5}]  # 8 is not asked for
        await until(lambda: out.events)
        socket = explorer.sockets[0]
        explorer.txs[txid(9)] = space_json(9, [(2, 0, HOT, 20_000.0)], [(SOMEBODY, 20_000.0)])
        pushed = {**SEEN, "txid": txid(9), "value": 2_000_000_000_000}
        await socket.send_str(json.dumps({"transactions": [pushed]}))
        await until(lambda: len(out.events) == 2)
        late = space_json(11, [(3, 0, SOMEBODY, 16_000.0)], [(HOT, 16_000.0)])
        explorer.in_block = [SPACE_WHALE] + [space_json(n, [], []) for n in range(20, 45)] + [late]
        explorer.blocks.append(explorer.block(101, len(explorer.in_block)))
        await socket.send_str(json.dumps({"block": explorer.blocks[-1]}))
        await until(lambda: len(out.events) == 3)
        await socket.send_str("nonsense")
        await until(lambda: out.bads)
        asked = explorer.asked
        await until(lambda: explorer.asked > asked + 3)
        assert explorer.pages == [0, 25]
        await socket.close()

    out = with_explorer(scene)
    assert [(e.notional_usdt, e.to_exchange) for e in out.events] == [
        (3_000_000.0, True), (2_000_000.0, False), (1_600_000.0, True),
    ]  # fmt: skip
    assert out.events[2].event_ns == BLOCK_S * NS_PER_SECOND
    assert json.loads(fixture("ltcspace_ws_init_request"))[:2] == [json.loads(w) for w in WANTED]


def test_the_explorer_is_left_alone_when_it_asks_for_it() -> None:
    async def scene(explorer: Explorer, out: Kept) -> None:
        explorer.status, explorer.headers = 429, {"Retry-After": "3600"}
        await until(lambda: out.state(LitecoinSpace.name) == "down")
        await until(lambda: explorer.asked >= 2)
        await asyncio.sleep(0.1)
        assert explorer.asked <= 4, "mempool and blocks, each about once"

    assert "too often" in with_explorer(scene).words()


def test_an_explorer_that_breaks_comes_back() -> None:
    async def scene(explorer: Explorer, out: Kept) -> None:
        await until(lambda: out.state(LitecoinSpace.name) == "ok")
        explorer.status = 502
        await until(lambda: out.state(LitecoinSpace.name) == "down")
        explorer.status = 200
        await until(lambda: out.state(LitecoinSpace.name) == "ok")
        explorer.recent = [{"txid": "x"}]
        await until(lambda: out.bads)
        explorer.recent = []
        await until(lambda: out.state(LitecoinSpace.name) == "ok")

    assert with_explorer(scene).events == []


def test_two_sources_of_one_chain_count_a_transfer_once() -> None:
    async def main() -> None:
        out, node, explorer, whales = Kept(), Node(), Explorer(), Whales(TAGS)
        explorer.recent, explorer.txs[txid(7)] = [SEEN], SPACE_WHALE
        async with (
            serving(node.app()) as a, serving(explorer.app()) as b,
            aiohttp.ClientSession() as session,
        ):  # fmt: skip
            core = LitecoinCore(
                session, whales, price, rpc_url=f"http://{a}", user="me", password="secret",
                poll_s=0.01,
            )  # fmt: skip
            space = LitecoinSpace(
                session, whales, price, api_url=f"http://{b}/api", push_url="", recent_s=0.01
            )
            tasks = [asyncio.create_task(source.run(out)) for source in (core, space)]
            await started(out)
            node.chain.append(block(101, [WHALE]))
            asked = len(node.asked)
            await until(lambda: out.events and len(node.asked) > asked + 6)
            for task in tasks:
                await ended(task)
        assert len(out.events) == 1

    asyncio.run(main())
