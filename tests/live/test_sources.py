"""Which sources there are: one of each, nothing fatal in what is missing, and who is heard."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, get_args

import aiohttp
import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends.fail import Keyring as NoKeyring

from litehedge.config import FeedGroup, Settings
from litehedge.errors import UsageError
from litehedge.feeds.across import Across
from litehedge.feeds.onchain_core import LitecoinCore
from litehedge.feeds.onchain_space import LitecoinSpace
from litehedge.live import sources as registry
from litehedge.live.recorder import Recorder
from litehedge.live.sources import Context, Off, session_sources, sources_for
from litehedge.market import events as ev
from litehedge.settings import load_settings
from litehedge.store.lake import Lake


@pytest.fixture(autouse=True)
def no_keyring() -> Any:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield
    keyring.set_keyring(before)


def with_context(use: Callable[[Context], Any], text: str = "", **more: Any) -> Any:
    async def inside() -> Any:
        async with aiohttp.ClientSession() as session:
            got = use(Context(session, load_settings(text), **more))
            return await got if asyncio.iscoroutine(got) else got

    return asyncio.run(inside())


@given(st.sampled_from(registry.VENUES), st.lists(st.sampled_from(get_args(FeedGroup))))
def test_a_session_hears_each_source_once_and_prices_of_one_venue(venue, extra) -> None:
    settings = Settings.model_validate({"feeds": {"extra": extra}})

    async def use() -> list[Any]:
        async with aiohttp.ClientSession() as session:
            return session_sources(Context(session, settings, own=venue))

    names = [one.name for one in asyncio.run(use())]
    assert len(names) == len(set(names))
    prices = {"depth", "book", "market", "trades", "tickers", "mark"}
    venues = {name.split(".")[0] for name in names if name.split(".")[-1] in prices}
    assert venues == {venue}
    assert sum(name.endswith(".btc") for name in names) == 1
    for group, name in (("across", "across"), ("mood", "sentiment")):
        assert (name in names) == (group in extra)
    assert ("onchain.litecoinspace" in names) == ("chain" in extra)


def across_of(**more: Any) -> Across:
    [one] = with_context(lambda context: sources_for("across", context), **more)
    assert isinstance(one, Across)
    return one


def test_open_interest_is_the_venues_own_where_it_has_one() -> None:
    assert not across_of(own="binance")._puts_open_interest
    assert not across_of(venues=("okx", "bybit"))._puts_open_interest
    assert across_of(own="okx")._puts_open_interest
    assert across_of(own="bybit")._own == "bybit"  # its rate is told by its own feed


def test_what_is_missing_is_off_and_says_why(tmp_path) -> None:
    text = f'[feeds]\ntags = "{tmp_path / "none.csv"}"\n'
    [off] = with_context(lambda context: sources_for("chain", context), text)
    assert isinstance(off, Off)
    told: list[Any] = []

    class Out:
        def health(self, *said: str) -> None:
            told.append(said)

    async def run() -> None:
        job = asyncio.create_task(off.run(Out()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)

    asyncio.run(run())
    [(name, state, why)] = told
    assert (name, state) == ("chain", "off")
    assert "none.csv" in why


def test_a_venue_that_cannot_be_loaded_is_an_error_and_a_group_is_not(monkeypatch) -> None:
    def broken(context: Context) -> list[Any]:
        raise ImportError("no module zmq")

    for name in ("binance", "chain"):
        monkeypatch.setitem(registry._REGISTERED, name, broken)
    with pytest.raises(UsageError, match="no module zmq"):
        with_context(lambda context: sources_for("binance", context))
    [off] = with_context(lambda context: sources_for("chain", context))
    assert isinstance(off, Off)
    with pytest.raises(UsageError, match="choose from: across, binance"):
        with_context(lambda context: sources_for("moon", context))


def test_a_node_is_asked_where_one_is_set_and_its_login_is_in_no_setting() -> None:
    text = '[feeds]\nlitecoin_rpc = "http://127.0.0.1:9332"\n'
    environ = {"LITEHEDGE_LITECOIN_KEY": "me", "LITEHEDGE_LITECOIN_SECRET": "hush"}
    [node] = with_context(lambda c: sources_for("chain", c), text, environ=environ)
    assert isinstance(node, LitecoinCore)
    assert node._login == "me:hush"
    [space] = with_context(lambda context: sources_for("chain", context))
    assert isinstance(space, LitecoinSpace)


def test_mood_needs_no_key_and_takes_those_there_are() -> None:
    environ = {"LITEHEDGE_LUNARCRUSH_KEY": "paid"}
    found = with_context(
        lambda c: sources_for("mood", c),
        '[feeds]\nrss = ["https://x.example/rss"]',
        environ=environ,
    )
    missing = {one.name: one._missing for one in found if hasattr(one, "_missing")}
    assert [name for name, why in missing.items() if why] == ["sentiment.cryptopanic"]
    assert "sentiment.rss.x.example/rss" in missing
    assert "paid" not in repr(found)


def test_prices_are_overheard_for_whales() -> None:
    heard: list[Any] = []

    class Out:
        def now_ns(self) -> int:
            return 5

        def put(self, event: Any) -> None:
            heard.append(event)

        def bad(self, *_: Any) -> None: ...

        def health(self, *_: Any) -> None: ...

    class Prices:
        name = "made.trades"

        async def run(self, out: Any) -> None:
            out.put(ev.Book(1, 1, 70.0, 70.1, 1e5, 1e5))
            out.put(ev.Trade(2, 2, 84.0, 1.0, True))

    async def use(context: Context) -> None:
        assert math.isnan(context.price_usdt())
        [one] = sources_for("made", context)
        assert one.name == "made.trades"
        await one.run(Out())  # type: ignore[arg-type]
        assert context.price_usdt() == 84.0
        assert len(heard) == 2

    registry.register("made", lambda context: [Prices()])
    try:
        with_context(use)
    finally:
        registry._REGISTERED.pop("made")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('litecoin_rpc = "http://a:b@127.0.0.1"', "must not hold a login"),
        ('litecoin_rpc = "127.0.0.1"', "must begin with http"),
        ('litecoin_zmq = "127.0.0.1"', "must begin with tcp"),
        ('rss = ["ftp://x"]', "rss must begin with"),
        ('venue = "mtgox"', "feeds.venue"),
        ("whale_usdt = 0", "must be above 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(text, message) -> None:
    from litehedge.errors import ConfigError

    with pytest.raises(ConfigError, match=message):
        load_settings(f"[feeds]\n{text}\n")


def test_history_is_known_for_every_venue() -> None:
    for venue in registry.VENUES:
        assert callable(registry.history_for(venue))
    with pytest.raises(UsageError, match="no venue moon"):
        registry.history_for("moon")


def test_the_venue_that_is_traded_on_is_heard_unless_another_is_set() -> None:
    assert registry.venue_heard(load_settings('[venue]\nname = "bybit"\n')) == "bybit"
    assert registry.venue_heard(load_settings('[feeds]\nvenue = "okx"\n')) == "okx"


def test_a_source_of_many_venues_is_well_while_one_of_them_is(tmp_path) -> None:
    recorder = Recorder(tmp_path, Lake(tmp_path / "lake"))
    out = recorder.outlet("across")
    out.health("across.bybit", "ok")
    out.health("across.gate", "down", "no answer")
    heard = recorder.heard["across"]
    assert (heard.state, heard.detail, heard.gaps) == ("ok", "across.gate is down", 0)
    out.health("across.bybit", "down", "no answer")
    assert (heard.state, heard.gaps) == ("down", 1)
    out.health("across.gate", "ok")
    assert heard.state == "ok"
