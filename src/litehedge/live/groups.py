"""The factories of `sources`: each imports what it needs when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from litehedge.live.sources import OWN_OPEN_INTEREST
from litehedge.ports import Source
from litehedge.venues.keys import part_or_none

if TYPE_CHECKING:
    from litehedge.live.sources import Context


def binance(context: Context) -> list[Source]:
    """Return Binance's market and Bitcoin."""
    from litehedge.venues.binance_feed import sources

    tick_usdt = context.settings.venue.tick_usdt
    return sources(context.symbol, tick_usdt, context.btc_intervals_ns, context.places.binance)


def bybit(context: Context) -> list[Source]:
    """Return Bybit's market and Bitcoin."""
    from litehedge.venues.bybit_market import BybitMarket

    tick_usdt = context.settings.venue.tick_usdt
    return BybitMarket(context.places.bybit, context.symbol, tick_usdt=tick_usdt).sources()


def through_ccxt(name: str, context: Context) -> Sequence[Source]:
    """Return what ccxt tells of a venue, and its forced orders where we read those ourselves."""
    from litehedge.venues.ccxt_feed import CcxtSource, Kind

    kinds: tuple[Kind, ...] = ("book", "trades", "mark", "funding")
    rewrite = context.places.ccxt
    found: list[Source] = [CcxtSource(name, kind, own=True, rewrite=rewrite) for kind in kinds]
    forced = [one for one in liquidations(context) if one.name.startswith(f"{name}.")]
    return found + forced


def across(context: Context) -> list[Source]:
    """Return funding of other venues, and open interest where no venue tells its own."""
    from litehedge.feeds.across import Across

    tells_own = bool(OWN_OPEN_INTEREST & set(context.venues))
    places = context.places.across
    return [
        Across(
            context.session, tuple(places), hosts=places, own=context.own,
            puts_open_interest=not tells_own,
        )
    ]  # fmt: skip


def liquidations(context: Context) -> list[Source]:
    """Return forced orders of OKX and Kraken Futures."""
    from litehedge.venues.liquidations_live import KrakenLiquidations, OkxLiquidations

    session, places = context.session, context.places
    return [
        OkxLiquidations(session, url=places.okx_socket),
        KrakenLiquidations(session, url=places.kraken_socket),
    ]


def chain(context: Context) -> list[Source]:
    """Return whale transfers: from a node of one's own where one is set, else from an explorer.

    Raises
    ------
    DataError
        When the file of tags is wrong.
    """
    from litehedge.feeds import exchange_tags
    from litehedge.feeds.onchain_whales import Whales

    feeds, session, places = context.settings.feeds, context.session, context.places
    path = Path(feeds.tags).expanduser() if feeds.tags else exchange_tags.SHIPPED
    whales = Whales(exchange_tags.read_tags(path), feeds.whale_usdt)
    if feeds.litecoin_rpc:
        from litehedge.feeds.onchain_core import LitecoinCore

        return [
            LitecoinCore(
                session, whales, context.price_usdt, rpc_url=feeds.litecoin_rpc,
                user=part_or_none("litecoin", "key", context.environ),
                password=part_or_none("litecoin", "secret", context.environ),
                zmq_address=feeds.litecoin_zmq,
            )
        ]  # fmt: skip
    from litehedge.feeds.onchain_space import LitecoinSpace

    return [
        LitecoinSpace(
            session, whales, context.price_usdt, api_url=places.litecoinspace,
            push_url=places.litecoinspace_socket,
        )
    ]  # fmt: skip


def mood(context: Context) -> list[Source]:
    """Return all sources of mood, those without a key switched off, and the score itself."""
    from litehedge.feeds import sentiment as told
    from litehedge.feeds.sentiment_mood import Mood

    session, places, shared = context.session, context.places, Mood()
    keys = {
        name: part_or_none(name, "key", context.environ) for name in ("lunarcrush", "cryptopanic")
    }
    return [
        told.fear_greed(session, shared, base=places.fear_greed),
        *(told.rss(session, shared, url) for url in context.settings.feeds.rss),
        told.gdelt_news(session, shared, base=places.gdelt),
        told.gdelt_tone(session, shared, base=places.gdelt),
        told.lunarcrush(session, shared, keys["lunarcrush"], base=places.lunarcrush),
        told.cryptopanic(session, shared, keys["cryptopanic"], base=places.cryptopanic),
        told.MoodTold(shared),
    ]
