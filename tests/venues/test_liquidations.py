"""Liquidations: whose position, how much, and nothing but `BadMessage` for what cannot be read."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.market.events import Liquidation
from litehedge.venues import liquidations, liquidations_others
from litehedge.venues.liquidations_live import KrakenLiquidations, OkxLiquidations

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
NOW = 1_795_000_001 * 10**9
T_MS = 1_795_000_000_000


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def pack(value: object) -> bytes:
    return json.dumps(value).encode()


def kraken_trade(uid: str = "u1", **changes: object) -> dict[str, Any]:
    trade = {
        "feed": "trade", "product_id": "PF_LTCUSD", "uid": uid, "side": "sell",
        "type": "liquidation", "seq": 1, "time": T_MS, "qty": 12.5, "price": 80.0,
    }  # fmt: skip
    return trade | changes


def gate_update(**order: object) -> bytes:
    rows = [{"contract": "LTC_USDT", "price": "80", "size": "-100", "time": T_MS} | order]
    return pack({"channel": "futures.public_liquidates", "event": "update", "result": rows})


def htx_notice(**row: object) -> dict[str, Any]:
    data = {
        "contract_code": "LTC-USDT", "direction": "buy", "offset": "close", "volume": 500,
        "price": 80.0, "created_at": T_MS, "amount": 50, "trade_turnover": 4000.0,
    }  # fmt: skip
    topic = "public.LTC-USDT.liquidation_orders"
    return {"op": "notify", "topic": topic, "ts": T_MS, "data": [data | row]}


def deribit_trades(**row: object) -> bytes:
    trade = {
        "instrument_name": "LTC_USDC-PERPETUAL", "direction": "sell", "amount": 10.0,
        "price": 80.0, "timestamp": T_MS, "liquidation": "T",
    }  # fmt: skip
    params = {"channel": "trades.LTC_USDC-PERPETUAL.100ms", "data": [trade | row]}
    return pack({"jsonrpc": "2.0", "method": "subscription", "params": params})


# --- whose, and how much --------------------------------------------------------------------------


def test_okx_reads_every_detail() -> None:
    first, second = liquidations.okx(fixture("okx_ws_liquidation_orders_LTC.json"), NOW)
    assert first == Liquidation(T_MS * 10**6, NOW, "long", 152.3 * 82.40, "largest")
    assert (second.side, second.notional_usdt) == ("long", 10 * 82.31)  # its posSide is `net`


def test_okx_counts_in_contracts() -> None:
    payload = fixture("okx_ws_liquidation_orders_LTC.json")
    whole = liquidations.okx(payload, NOW)
    tenth = liquidations.okx(payload, NOW, contract_ltc=0.1)
    assert tenth[0].notional_usdt == pytest.approx(whole[0].notional_usdt / 10)


def test_okx_other_contracts_and_talk_are_nothing() -> None:
    payload = fixture("okx_ws_liquidation_orders_LTC.json")
    assert liquidations.okx(payload, NOW, instrument="BTC-USDT-SWAP") == []
    assert liquidations.okx(b"pong", NOW) == []
    assert liquidations.okx(b'{"event":"subscribe","arg":{"channel":"x"}}', NOW) == []
    with pytest.raises(BadMessage, match="60018"):
        liquidations.okx(b'{"event":"error","code":"60018","msg":"wrong channel"}', NOW)


def test_kraken_live() -> None:
    [(uid, event)] = liquidations.kraken(pack(kraken_trade()), NOW).found
    assert (uid, event) == ("u1", Liquidation(T_MS * 10**6, NOW, "long", 1000.0))
    [(_, event)] = liquidations.kraken(pack(kraken_trade(side="buy")), NOW).found
    assert event.side == "short"
    for other in ({"type": "fill"}, {"type": "block"}, {"product_id": "PF_XBTUSD"}):
        assert liquidations.kraken(pack(kraken_trade(**other)), NOW).found == []
    assert liquidations.kraken(b'{"event":"subscribed","feed":"trade"}', NOW).found == []


def test_kraken_history() -> None:
    page = liquidations.kraken_history(
        fixture("kraken_history_executions_PF_LTCUSD_liquidation.json")
    )
    [(uid, event)] = page.found
    assert uid == "e7a1b5c2-0000-4000-8000-000000000002"
    assert event == Liquidation(T_MS * 10**6, T_MS * 10**6, "long", 1411.85)
    assert (page.next_token, page.executions) == ("YWJj", 1)


def test_kraken_history_leaves_out_ordinary_trades() -> None:
    page = json.loads(fixture("kraken_history_executions_PF_LTCUSD_liquidation.json"))
    execution = page["elements"][0]["event"]["Execution"]["execution"]
    execution["takerOrder"]["orderType"] = "Limit"
    page["elements"].append({"event": {"SomethingElse": {}}})
    got = liquidations.kraken_history(pack(page))
    assert (got.found, got.executions) == ([], 2)


def test_gate_names_the_order_live_and_the_position_in_its_history() -> None:
    [live] = liquidations_others.gate(gate_update(), NOW)
    assert live == Liquidation(T_MS * 10**6, NOW, "long", 100 * 0.1 * 80.0)
    [short] = liquidations_others.gate(gate_update(size=40, time=T_MS // 1000), NOW)
    assert (short.side, short.event_ns) == ("short", T_MS * 10**6)
    row = {"contract": "LTC_USDT", "left": 0, "size": -165, "fill_price": "80", "time": 1.7e9}
    [past] = liquidations_others.gate_history(pack([row]))
    assert (past.side, past.notional_usdt) == ("short", pytest.approx(165 * 0.1 * 80.0))
    [rest] = liquidations_others.gate_history(pack([row | {"left": 65}]))
    assert rest.notional_usdt == pytest.approx(100 * 0.1 * 80.0)


def test_htx_zipped_or_not_and_both_of_its_shapes() -> None:
    notice = pack(htx_notice())
    expected = [Liquidation(T_MS * 10**6, NOW, "short", 4000.0)]
    assert liquidations_others.htx(notice, NOW) == expected
    assert liquidations_others.htx(gzip.compress(notice), NOW) == expected
    row = {
        "contract_code": "LTC-USDT", "liquidation_time": str(T_MS), "side": "sell",
        "position_side": "long", "volume": "2", "amount": "2", "bankrupt_price": "80",
    }  # fmt: skip
    [event] = liquidations_others.htx(pack({"code": 200, "data": [row]}), NOW)
    assert (event.side, event.notional_usdt) == ("long", 160.0)


def test_htx_does_not_unzip_for_ever() -> None:
    with pytest.raises(BadMessage, match="too long"):
        liquidations_others.htx(gzip.compress(b" " * 2**22), NOW)


@pytest.mark.parametrize(
    ("who", "sides"), [("T", ["long"]), ("M", ["short"]), ("MT", ["short", "long"])]
)
def test_deribit_tells_who_was_liquidated(who: str, sides: list[str]) -> None:
    found = liquidations_others.deribit(deribit_trades(liquidation=who), NOW)
    assert [event.side for event in found] == sides
    assert all(event.notional_usdt == 800.0 for event in found)


def test_deribit_ordinary_trades_are_nothing() -> None:
    assert liquidations_others.deribit(deribit_trades(liquidation=""), NOW) == []
    assert liquidations_others.deribit(b'{"id":1,"result":["trades.x"]}', NOW) == []


def test_no_liquidation_was_known_before_it_happened() -> None:
    early = T_MS * 10**6 - 10**9  # the venue's clock is a second ahead
    [event, _] = liquidations.okx(fixture("okx_ws_liquidation_orders_LTC.json"), early)
    assert event.event_ns == event.known_ns == early


# --- what cannot be read --------------------------------------------------------------------------

READERS = {
    "okx": (lambda b: liquidations.okx(b, NOW), fixture("okx_ws_liquidation_orders_LTC.json")),
    "kraken": (lambda b: liquidations.kraken(b, NOW).found, pack(kraken_trade())),
    "kraken snapshot": (
        lambda b: liquidations.kraken(b, NOW).found,
        pack({"feed": "trade_snapshot", "trades": [kraken_trade()]}),
    ),
    "kraken history": (
        lambda b: liquidations.kraken_history(b).found,
        fixture("kraken_history_executions_PF_LTCUSD_liquidation.json"),
    ),
    "gate": (lambda b: liquidations_others.gate(b, NOW), gate_update()),
    "gate history": (
        lambda b: liquidations_others.gate_history(b),
        pack([{"contract": "LTC_USDT", "size": 9, "fill_price": "80", "time": 1.7e9}]),
    ),
    "htx": (lambda b: liquidations_others.htx(b, NOW), pack(htx_notice())),
    "htx zipped": (lambda b: liquidations_others.htx(b, NOW), gzip.compress(pack(htx_notice()))),
    "deribit": (lambda b: liquidations_others.deribit(b, NOW), deribit_trades()),
}
WORDS = st.sampled_from(
    [b"null", b"-1", b"0", b"1e400", b"NaN", b'"nan"', b'"inf"', b"{}", b"[]", b'"x"', b"9" * 400]
)


@st.composite
def spoilt(draw: st.DrawFn, whole: bytes) -> bytes:
    """A message with bytes changed, cut out, or put in."""
    payload = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(payload) - 1)))
        length = draw(st.integers(0, 12))
        payload[at : at + length] = draw(st.one_of(st.binary(max_size=6), WORDS))
    return bytes(payload)


@pytest.mark.parametrize("reader", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_but_bad_message(reader: str, data: st.DataObject) -> None:
    read, whole = READERS[reader]
    payload = data.draw(st.one_of(spoilt(whole), st.binary(max_size=80)))
    try:
        found = read(payload)
    except BadMessage:
        return
    for one in found:
        event = one[1] if isinstance(one, tuple) else one
        assert 0 < event.event_ns <= event.known_ns
        assert 0 < event.notional_usdt < float("inf")


# --- over sockets ---------------------------------------------------------------------------------


class Heard:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.states: list[str] = []
        self.bads = 0
        self.changed = asyncio.Event()

    def now_ns(self) -> int:
        return NOW

    def put(self, event: Any) -> None:
        self.events.append(event)
        self.changed.set()

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        self.bads += 1
        self.changed.set()

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.states.append(state)
        self.changed.set()

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(10):
            while not done():
                self.changed.clear()
                await self.changed.wait()


async def listen(kind: Any, connections: list[list[bytes]], done: Any) -> tuple[Heard, list[str]]:
    """Run a source against a server that says one list of messages on each connection."""
    asked: list[str] = []
    left = list(connections)

    async def speak(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked.append((await socket.receive()).data)
        if left:
            for message in left.pop(0):
                await socket.send_str(message.decode())
        if left:
            await socket.close()
        else:
            await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/", speak)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    heard = Heard()
    async with aiohttp.ClientSession() as session:
        source = kind(session, url=f"ws://127.0.0.1:{port}/")
        task = asyncio.create_task(source.run(heard))
        await heard.until(lambda: done(heard))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await runner.cleanup()
    return heard, asked


def test_okx_over_a_socket_counts_what_is_bad_and_goes_on() -> None:
    good = fixture("okx_ws_liquidation_orders_LTC.json")
    heard, asked = asyncio.run(
        listen(OkxLiquidations, [[b"{", good]], lambda h: len(h.events) == 2)
    )
    assert json.loads(asked[0])["args"] == [{"channel": "liquidation-orders", "instType": "SWAP"}]
    assert heard.bads == 1
    assert heard.states[:2] == ["starting", "ok"]


def test_kraken_fills_a_gap_and_tells_nothing_twice() -> None:
    def snapshot(*uids: str) -> bytes:
        return pack({"feed": "trade_snapshot", "trades": [kraken_trade(u) for u in uids]})

    first = [snapshot("old"), pack(kraken_trade("a", qty=1.0))]
    second = [
        snapshot("old", "a"),
        pack({"feed": "trade_snapshot", "trades": [kraken_trade("missed", qty=2.0)]}),
        pack(kraken_trade("b", qty=3.0)),
    ]
    heard, _ = asyncio.run(
        listen(KrakenLiquidations, [first, second], lambda h: len(h.events) >= 3)
    )
    assert [event.notional_usdt for event in heard.events] == [80.0, 160.0, 240.0]
