"""Other venues' funding and open interest: one unit, and a level that only positions move."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.feeds import across_wire as wire
from litehedge.feeds.across import Across, Linked
from litehedge.market.events import OpenInterest, PredictedFunding
from litehedge.units import NS_PER_SECOND

NOW = 1_795_000_001 * 10**9
T_MS = 1_795_000_000_000
HOUR_MS = 3_600_000


def pack(value: object) -> bytes:
    return json.dumps(value).encode()


def bybit(rate: str = "0.0001", hours: str = "8", oi: str = "2500000") -> bytes:
    ticker = {"symbol": "LTCUSDT", "openInterest": oi, "fundingRate": rate}
    row = ticker | {"fundingIntervalHour": hours, "markPrice": "84.1"}
    return pack({"retCode": 0, "retMsg": "OK", "result": {"list": [row]}, "time": T_MS})


def okx_funding(rate: str = "0.0001", hours: int = 8) -> bytes:
    row = {"fundingRate": rate, "fundingTime": str(T_MS), "instId": "LTC-USDT-SWAP",
           "nextFundingTime": str(T_MS + hours * HOUR_MS), "ts": str(T_MS)}  # fmt: skip
    return pack({"code": "0", "msg": "", "data": [row]})


OKX_INTEREST = pack(
    {"code": "0", "data": [{"instId": "LTC-USDT-SWAP", "oi": "9", "oiCcy": "1000000", "ts": T_MS}]}
)
KRAKEN = pack(
    {"result": "success", "ticker": {"symbol": "PF_LTCUSD", "openInterest": 40000.5,
     "markPrice": 80.0, "fundingRate": 0.008, "fundingRatePrediction": 0.001}}
)  # fmt: skip
HYPERLIQUID = pack(
    [{"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "LTC"}]},
     [{"funding": "1", "openInterest": "1"}, {"funding": "0.0000125", "openInterest": "300000"}]]
)  # fmt: skip
BITGET_FUNDING = pack(
    {"code": "00000", "requestTime": T_MS,
     "data": [{"symbol": "LTCUSDT", "fundingRate": "-0.00005", "fundingRateInterval": "4"}]}
)  # fmt: skip
BITGET_INTEREST = pack(
    {"code": "00000", "data": {"openInterestList": [{"symbol": "LTCUSDT", "size": "52234.134"}],
     "ts": str(T_MS)}}
)  # fmt: skip
GATE = pack(
    {"name": "LTC_USDT", "funding_rate": "0.0003", "funding_interval": 14400,
     "position_size": 5000000, "quanto_multiplier": "0.1"}
)  # fmt: skip


# --- one unit -------------------------------------------------------------------------------------


def test_every_venue_in_fractions_of_8_hours_and_in_ltc() -> None:
    assert wire.bybit(bybit()) == wire.Reading(T_MS * 10**6, 0.0001, 2_500_000.0)
    assert wire.okx_funding(okx_funding()) == wire.Reading(T_MS * 10**6, 0.0001)
    assert wire.okx_interest(OKX_INTEREST).oi_ltc == 1e6
    assert wire.kraken(KRAKEN).rate_8h == pytest.approx(0.008 / 80.0 * 8)
    assert wire.kraken(KRAKEN).oi_ltc == 40000.5
    assert wire.hyperliquid(HYPERLIQUID).rate_8h == pytest.approx(0.0001)
    assert wire.hyperliquid(HYPERLIQUID).oi_ltc == 300000.0
    assert wire.bitget_funding(BITGET_FUNDING).rate_8h == pytest.approx(-0.0001)
    assert wire.bitget_interest(BITGET_INTEREST).oi_ltc == 52234.134
    assert wire.gate(GATE).rate_8h == pytest.approx(0.0006)
    assert wire.gate(GATE).oi_ltc == pytest.approx(500_000.0)


@given(rate=st.floats(-0.01, 0.01), hours=st.sampled_from([1, 2, 4, 8]))
def test_the_same_cost_of_holding_is_the_same_rate(rate: float, hours: int) -> None:
    """A venue that settles twice as often at half the rate costs the same."""
    assert wire.bybit(bybit(repr(rate / 8 * hours), str(hours))).rate_8h == pytest.approx(rate)
    assert wire.okx_funding(okx_funding(repr(rate / 8 * hours), hours)).rate_8h == (
        pytest.approx(rate)
    )


def test_refusals_and_absurdities_are_bad() -> None:
    for payload in (bybit("nan"), bybit("9"), bybit(hours="0"), bybit(oi="0"), bybit(oi="-1"),
                    bybit(oi="1e9"), b'{"retCode":10006,"result":{"list":[]}}'):  # fmt: skip
        with pytest.raises(BadMessage):
            wire.bybit(payload)
    with pytest.raises(BadMessage, match="apart"):
        wire.okx_funding(okx_funding(hours=0))
    with pytest.raises(BadMessage, match="50011"):
        wire.okx_interest(b'{"code":"50011","data":[]}')
    with pytest.raises(BadMessage, match="LTC"):
        wire.hyperliquid(pack([{"universe": [{"name": "BTC"}]}, []]))


READERS = {
    "bybit": (wire.bybit, bybit()),
    "okx funding": (wire.okx_funding, okx_funding()),
    "okx interest": (wire.okx_interest, OKX_INTEREST),
    "kraken": (wire.kraken, KRAKEN),
    "hyperliquid": (wire.hyperliquid, HYPERLIQUID),
    "bitget funding": (wire.bitget_funding, BITGET_FUNDING),
    "bitget interest": (wire.bitget_interest, BITGET_INTEREST),
    "gate": (wire.gate, GATE),
}
WORDS = st.sampled_from(
    [b"null", b"-1", b"0", b"1e400", b"NaN", b'"nan"', b'"inf"', b"{}", b"[]", b'"x"', b"9" * 400]
)


@pytest.mark.parametrize("reader", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_but_bad_message(reader: str, data: st.DataObject) -> None:
    read, whole = READERS[reader]
    payload = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload)))
        payload[at : at + data.draw(st.integers(0, 12))] = data.draw(
            st.one_of(st.binary(max_size=6), WORDS)
        )
    try:
        told = read(bytes(payload))
    except BadMessage:
        return
    assert told.rate_8h is None or abs(told.rate_8h) <= wire.MOST_FUNDING_8H
    assert told.oi_ltc is None or 0 < told.oi_ltc <= wire.MOST_OI_LTC
    assert 0 <= told.event_ns < 2**63


# --- a level that only positions move -------------------------------------------------------------

VENUES = ("a", "b", "c", "d")
S = NS_PER_SECOND
steps = st.lists(
    st.tuples(
        st.sampled_from(VENUES),
        st.integers(0, 200),  # seconds since the step before: venues drop out and come back
        st.floats(0.8, 1.25),
        st.booleans(),
    ),
    max_size=60,
)


def begun(silent_s: int = 120) -> tuple[Linked, dict[str, float]]:
    linked = Linked(VENUES, silent_s * S)
    oi = {venue: 1000.0 * 2**i for i, venue in enumerate(VENUES)}
    for venue in VENUES:
        linked.tell(venue, oi[venue], 0)
    assert linked.level_ltc == sum(oi.values())
    return linked, oi


@given(steps)
def test_who_answers_does_not_move_the_level(steps: list[Any]) -> None:
    """Venues come and go as they like; no position changes, so the level does not."""
    linked, oi = begun()
    now = 0
    for venue, later, _, answers in steps:
        now += later * S
        if answers:
            linked.tell(venue, oi[venue], now)
        else:
            linked.missed(venue, now)
        assert linked.level_ltc == pytest.approx(15000.0, rel=1e-9)


@given(steps)
def test_the_level_moves_by_less_than_the_venue_that_moved_it(steps: list[Any]) -> None:
    linked, oi = begun()
    now = 0
    for venue, later, factor, answers in steps:
        now += later * S
        before = linked.level_ltc
        assert before is not None
        if answers:
            oi[venue] *= factor
            after = linked.tell(venue, oi[venue], now)
        else:
            after = linked.missed(venue, now)
        assert after is not None
        assert min(1.0, factor) - 1e-9 <= after / before <= max(1.0, factor) + 1e-9


@given(st.lists(st.tuples(st.sampled_from(VENUES), st.floats(0.8, 1.25)), max_size=40))
def test_while_all_answer_the_level_is_the_sum(changes: list[tuple[str, float]]) -> None:
    linked, oi = begun()
    for second, (venue, factor) in enumerate(changes, 1):
        oi[venue] *= factor
        linked.tell(venue, oi[venue], second * S)
        assert linked.level_ltc == pytest.approx(sum(oi.values()))


def test_it_begins_when_all_were_asked() -> None:
    linked = Linked(("a", "b"))
    assert linked.tell("a", 10.0, 0) is None
    assert linked.missed("b", S) == 10.0
    assert linked.inside(S) == ("a",)
    assert linked.tell("b", 90.0, 2 * S) == 10.0  # joins, and moves nothing
    assert linked.tell("b", 45.0, 3 * S) == pytest.approx(10.0 * 55 / 100)
    assert linked.inside(1000 * S) == ()
    assert linked.age_ns("a", 5 * S) == 5 * S


def test_what_happened_while_a_venue_was_away_is_not_counted_as_now() -> None:
    linked, _ = begun(silent_s=60)
    assert linked.tell("d", 1.0, 61 * S) == 15000.0
    for venue in ("a", "b", "c"):
        linked.tell(venue, 5.0, 100 * S)
    assert linked.level_ltc == 15000.0  # all were away


# --- over the network -----------------------------------------------------------------------------


class Heard:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.states: dict[str, list[str]] = {}
        self.bads: list[str] = []
        self.changed = asyncio.Event()

    def now_ns(self) -> int:
        return NOW

    def put(self, event: Any) -> None:
        self.events.append(event)
        self.changed.set()

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        self.bads.append(source)
        self.changed.set()

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.states.setdefault(source, []).append(state)
        self.changed.set()

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(20):
            while not done():
                self.changed.clear()
                await self.changed.wait()


ANSWERS = {
    "/v5/market/tickers": bybit(),
    "/api/v5/public/funding-rate": okx_funding("0.00005", 4),
    "/api/v5/public/open-interest": OKX_INTEREST,
    "/derivatives/api/v3/tickers/PF_LTCUSD": KRAKEN,
    "/info": HYPERLIQUID,
    "/api/v2/mix/market/current-fund-rate": BITGET_FUNDING,
    "/api/v2/mix/market/open-interest": BITGET_INTEREST,
    "/api/v4/futures/usdt/contracts/LTC_USDT": GATE,
}


def test_each_venue_for_itself() -> None:
    """One venue fails and one talks nonsense: the others go on, and health says which."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/info":
            assert await request.json() == {"type": "metaAndAssetCtxs"}
        if request.path.startswith("/api/v4"):
            return web.Response(status=503)
        body = b"<html>" if request.path.startswith("/nowhere") else ANSWERS[request.path]
        return web.Response(body=body)

    async def play() -> tuple[Heard, Across]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        at = f"http://127.0.0.1:{runner.addresses[0][1]}"
        hosts: dict[Any, str] = dict.fromkeys(wire.HOSTS, at) | {"kraken": f"{at}/nowhere"}
        heard = Heard()
        async with aiohttp.ClientSession() as session:
            source = Across(session, hosts=hosts, every_s=0.02, puts_open_interest=True)
            task = asyncio.create_task(source.run(heard))
            await heard.until(
                lambda: (
                    any(isinstance(e, OpenInterest) for e in heard.events)
                    and {e.venue for e in heard.events if isinstance(e, PredictedFunding)}
                    == {"bybit", "okx"}
                )
            )
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()
        return heard, source

    heard, source = asyncio.run(play())
    rates = {e.venue: e.rate for e in heard.events if isinstance(e, PredictedFunding)}
    assert rates == {"bybit": 0.0001, "okx": pytest.approx(0.0001)}
    assert heard.states["across.gate"][1] == heard.states["across.kraken"][1] == "down"
    assert "across.kraken" in heard.bads
    assert "ok" in heard.states["across.hyperliquid"]
    assert source.open_interest.inside(NOW) == ("bybit", "okx", "hyperliquid", "bitget")
    level = next(e.oi_ltc for e in heard.events if isinstance(e, OpenInterest))
    assert level == pytest.approx(2_500_000 + 1e6 + 300_000 + 52234.134)
