"""What a venue tells everybody: its clock, and the rules of its contract. No key is needed."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, Final

import aiohttp
import msgspec

from litehedge.errors import BadMessage, VenueDown
from litehedge.live.places import Places
from litehedge.orders.reports import Contract
from litehedge.units import NS_PER_MS
from litehedge.venues import binance_link, binance_rest, bybit_contract, bybit_rest, ccxt_read
from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_facts import venue_named
from litehedge.venues.ccxt_make import make_exchange

TIMEOUT_MS: Final = 10_000
_NO_FEES: Final = (Decimal(0), Decimal(0))


class PublicFacts(msgspec.Struct, frozen=True):
    """What a venue told; `skew_ms` is by how much this machine's clock is ahead of the venue's."""

    venue: str
    symbol: str
    skew_ms: float
    answered_ms: float
    is_trading: bool
    tick_usdt: Decimal
    lot_ltc: Decimal
    min_notional_usdt: Decimal


async def ask_public(venue: str, symbol: str, places: Places) -> PublicFacts:
    """Ask a venue for its time and its contract.

    Raises
    ------
    VenueError
        When it does not answer readably, or has no such contract.
    """
    try:
        if venue == "binance":
            return await _binance(symbol, places)
        if venue == "bybit":
            return await _bybit(symbol, places)
        return await _through_ccxt(venue, places)
    except BadMessage as error:
        raise VenueDown(f"{venue} does not answer readably: {error.what}", "try again") from None


def _facts(contract: Contract, skew_ms: float, answered_ms: float) -> PublicFacts:
    return PublicFacts(
        contract.venue, contract.symbol, skew_ms, answered_ms, contract.is_trading,
        contract.tick_usdt, contract.lot_ltc, contract.min_notional_usdt,
    )  # fmt: skip


async def _binance(symbol: str, places: Places) -> PublicFacts:
    async with aiohttp.ClientSession() as session:
        rest = binance_link.Rest(session, places.binance)
        began_ns = time.perf_counter_ns()
        skew_ms = await rest.sync_clock()
        answered_ms = (time.perf_counter_ns() - began_ns) / NS_PER_MS
        info = await rest.get("/fapi/v1/exchangeInfo", {}, "the contracts")
    contract = binance_rest.contract_of(
        info, symbol, tiers=[], maker_taker=_NO_FEES, interval_h=8.0
    )
    return _facts(contract, skew_ms, answered_ms)


async def _bybit(symbol: str, places: Places) -> PublicFacts:
    async with aiohttp.ClientSession() as session:
        rest = bybit_rest.Rest(session, places.bybit.rest)
        before_ms = _now_ms()
        told = await rest.get("/v5/market/time", "the time of bybit")
        after_ms = _now_ms()
        about = {"category": "linear", "symbol": symbol}
        rules = await rest.get("/v5/market/instruments-info", f"the contract {symbol}", **about)
        tiers = await rest.get("/v5/market/risk-limit", f"the tiers of {symbol}", **about)
    fee = {"symbol": symbol, "takerFeeRate": "0", "makerFeeRate": "0"}
    fees = msgspec.Raw(msgspec.json.encode({"list": [fee]}))
    contract = bybit_contract.contract_of(rules.result, tiers.result, fees, symbol)
    return _facts(contract, 0.5 * (before_ms + after_ms) - told.time, after_ms - before_ms)


async def _through_ccxt(name: str, places: Places) -> PublicFacts:
    venue = venue_named(name)
    exchange: Any = make_exchange(venue, None, places.ccxt, TIMEOUT_MS)
    try:
        with translated(name, "its markets were not read"):
            await exchange.load_markets()
            before_ms = exchange.milliseconds()
            if exchange.has.get("fetchTime"):
                venue_ms = await exchange.fetch_time()
            else:
                answer = await exchange.publicGetTickers()
                venue_ms = exchange.parse8601(answer["serverTime"])
            after_ms = exchange.milliseconds()
            market = exchange.market(venue.symbol)
    finally:
        await exchange.close()
    size = ccxt_read.exact(market.get("contractSize") or 1, "contract size")
    least = ccxt_read.maybe((market["limits"].get("cost") or {}).get("min"), "the least notional")
    return PublicFacts(
        name, str(market["id"]), 0.5 * (before_ms + after_ms) - float(venue_ms),
        after_ms - before_ms, market.get("active") is not False,
        ccxt_read.exact(market["precision"]["price"], "the tick"),
        ccxt_read.exact(market["precision"]["amount"], "the lot") * size,
        venue.min_notional_usdt if least is None else least,
    )  # fmt: skip


def _now_ms() -> float:
    return time.time_ns() / NS_PER_MS
