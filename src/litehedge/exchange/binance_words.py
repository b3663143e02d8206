"""The fake venue in Binance USD-M's words: pure, from what happened to what goes on the wire.

Shapes follow developers.binance.com (USD-M, as of 2026): routed streams, `st` and `ps` on market
messages, order answers without `avgPrice`. `binance_account` has what concerns an account.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from litehedge.exchange.book import DepthBook, Levels
from litehedge.exchange.happenings import Closed, Marked, Traded
from litehedge.exchange.ledger import Ledger
from litehedge.exchange.tape import Candle
from litehedge.exchange.terms import Refused, Terms, Why
from litehedge.exchange.venue import Venue

Json = dict[str, Any]

_ONLY_REDUCING: Final = (
    "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, "
    "please try again later."
)
ERRORS: Final[dict[Why, tuple[int, str]]] = {
    "symbol": (-1121, "Invalid symbol."),
    "side": (-4061, "Order's position side does not match user's setting."),
    "reduce only": (-2022, "ReduceOnly Order is rejected."),
    "not sent here": (-1106, "Parameter 'reduceonly' sent when not required."),
    "precision": (-1111, "Precision is over the maximum defined for this asset."),
    "tick": (-4014, "Price not increased by tick size."),
    "lot": (-1111, "Precision is over the maximum defined for this asset."),
    "quantity": (-4003, "Quantity less than or equal to zero."),
    "above maximum": (-4005, "Quantity greater than max quantity."),
    "notional": (
        -4164, "Order's notional must be no smaller than {}.0 (unless you choose reduce only)"
    ),
    "too high": (-4016, "Limit price can't be higher than {}."),
    "too low": (-4024, "Limit price can't be lower than {}."),
    "client id": (-4015, "Client order id is not valid."),
    "duplicate": (-4116, "ClientOrderId is duplicated."),
    "margin": (-2019, "Margin is insufficient."),
    "tier": (-2027, "Exceeded the maximum allowable position at current leverage."),
    "unfilled": (
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected.",
    ),
    "post only": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    "unknown order": (-2011, "Unknown order sent."),
    "no such order": (-2013, "Order does not exist."),
    "only reducing": (-4400, _ONLY_REDUCING),
    "no change": (-4059, "No need to change position side."),
    "has position": (-4068, "Position side cannot be changed if there exists position."),
    "leverage": (-4028, "Leverage {} is not valid"),
    "type": (-1116, "Invalid orderType."),
    "missing": (-1102, "Mandatory parameter '{0}' was not sent, was empty/null, or malformed."),
    "would trigger": (-2021, "Order would immediately trigger."),
}  # fmt: skip


class Error(Exception):
    """An answer that refuses: HTTP status and body."""

    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers or {}
        super().__init__(str(body))


def refusal(refused: Refused) -> Error:
    """Return what Binance says to a refusal."""
    code, text = ERRORS[refused.why]
    return Error(400, {"code": code, "msg": text.format(refused.detail)})


def error(code: int, text: str, status: int = 400) -> Error:
    """Return an error with a code of Binance's."""
    return Error(status, {"code": code, "msg": text})


def plain(number: Decimal | float, places: int) -> str:
    """Return a number with so many decimals."""
    return f"{number:.{places}f}"


def missing(name: str) -> Error:
    """Return the error of a parameter that was not sent."""
    return error(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def price(usdt: Decimal) -> str:
    """Return a price on the grid."""
    return plain(usdt, 2)


def qty(ltc: Decimal) -> str:
    """Return a quantity on the grid."""
    return plain(ltc, 3)


# --- REST, public ---------------------------------------------------------------------------------


def exchange_info(terms: Terms, ledger: Ledger, server_ms: int, *, trading: bool) -> Json:
    """Return `GET /fapi/v1/exchangeInfo`."""
    kinds = [
        "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
        "TRAILING_STOP_MARKET",
    ]  # fmt: skip
    lot = str(terms.lot_ltc)
    band = terms.price_band
    filters: list[Json] = [
        {"filterType": "PRICE_FILTER", "minPrice": "3.61", "maxPrice": "100000",
         "tickSize": str(terms.tick_usdt)},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": str(terms.max_qty_ltc),
         "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": str(terms.max_market_qty_ltc),
         "stepSize": lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": str(terms.min_notional_usdt)},
        {"filterType": "PERCENT_PRICE", "multiplierUp": plain(1 + band, 4),
         "multiplierDown": plain(1 - band, 4), "multiplierDecimal": "4"},
    ]  # fmt: skip
    symbol = {
        "symbol": terms.symbol, "pair": terms.symbol, "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
        "status": "TRADING" if trading else "SETTLING", "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": "LTC", "quoteAsset": "USDT",
        "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3,
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "underlyingSubType": ["PoW"], "triggerProtect": "0.0500",
        "liquidationFee": plain(terms.clearance_fee, 6),
        "marketTakeBound": plain(terms.take_bound, 2), "maxMoveOrderLimit": 10000,
        "filters": filters, "orderTypes": kinds,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }  # fmt: skip
    limits: list[Json] = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
    ]
    return {
        "timezone": "UTC", "serverTime": server_ms, "futuresType": "U_MARGINED",
        "rateLimits": limits, "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [symbol],
    }  # fmt: skip


def _side(levels: Levels, terms: Terms, *, falling: bool, most: int) -> list[list[str]]:
    rows = sorted(levels.items(), reverse=falling)[:most]
    return [[price(ticks * terms.tick_usdt), qty(lots * terms.lot_ltc)] for ticks, lots in rows]


def depth(book: DepthBook, terms: Terms, now_ms: int, most: int) -> Json:
    """Return `GET /fapi/v1/depth`."""
    return {
        "lastUpdateId": book.number_snapshot(), "E": now_ms, "T": now_ms,
        "bids": _side(book.bids, terms, falling=True, most=most),
        "asks": _side(book.asks, terms, falling=False, most=most),
    }  # fmt: skip


def brackets(ledger: Ledger) -> list[Json]:
    """Return `GET /fapi/v1/leverageBracket`."""
    rows = ledger.tiers.rows.tolist()
    caps = [row[0] for row in rows[1:]] + [ledger.tiers.cap_usdt]
    numbered = enumerate(zip(rows, caps, strict=True), 1)
    return [
        {
            "symbol": ledger.terms.symbol, "notionalCoef": 1.0,
            "brackets": [
                {
                    "bracket": number, "initialLeverage": int(lev), "notionalCap": int(cap),
                    "notionalFloor": int(floor), "maintMarginRatio": round(rate, 6),
                    "cum": round(cum, 4),
                }
                for number, ((floor, rate, cum, lev), cap) in numbered
            ],
        }
    ]  # fmt: skip


def premium(venue: Venue) -> Json:
    """Return `GET /fapi/v1/premiumIndex`."""
    moment = venue.moment
    assert moment is not None
    return {
        "symbol": venue.terms.symbol, "markPrice": plain(moment.mark, 8),
        "indexPrice": plain(moment.index, 8), "estimatedSettlePrice": plain(moment.index, 8),
        "lastFundingRate": plain(moment.rate, 8), "interestRate": "0.00010000",
        "nextFundingTime": venue.next_funding_ms, "time": venue.matching.now_ms,
    }  # fmt: skip


def kline(candle: Candle) -> list[Any]:
    """Return one row of `GET /fapi/v1/klines`."""
    return [
        candle.open_ms, price(candle.open), price(candle.high), price(candle.low),
        price(candle.close), qty(candle.volume_ltc), candle.open_ms + 59_999,
        plain(candle.volume_usdt, 5), candle.trades, qty(candle.bought_ltc),
        plain(candle.bought_usdt, 5), "0",
    ]  # fmt: skip


def agg_row(trade: Traded) -> Json:
    """Return one row of `GET /fapi/v1/aggTrades`."""
    return {
        "a": trade.trade_id, "p": price(trade.price_usdt), "q": qty(trade.qty_ltc),
        "f": trade.trade_id, "l": trade.trade_id, "T": trade.at_ms, "m": not trade.taker_buys,
    }  # fmt: skip


def trade_row(trade: Traded) -> Json:
    """Return one row of `GET /fapi/v1/trades`."""
    return {
        "id": trade.trade_id, "price": price(trade.price_usdt), "qty": qty(trade.qty_ltc),
        "quoteQty": plain(trade.price_usdt * trade.qty_ltc, 5), "time": trade.at_ms,
        "isBuyerMaker": not trade.taker_buys,
    }  # fmt: skip


# --- streams, public ------------------------------------------------------------------------------


def depth_update(
    terms: Terms, at_ms: int, ids: tuple[int, int, int], bids: Levels, asks: Levels
) -> Json:
    """Return `depthUpdate`; `ids` are (U, u, pu)."""
    first, last, before = ids
    rows = [
        [
            [price(ticks * terms.tick_usdt), qty(lots * terms.lot_ltc)]
            for ticks, lots in side.items()
        ]
        for side in (bids, asks)
    ]  # fmt: skip
    return {
        "e": "depthUpdate", "E": at_ms, "T": at_ms, "s": terms.symbol, "ps": terms.symbol,
        "st": 1, "U": first, "u": last, "pu": before, "b": rows[0], "a": rows[1],
    }  # fmt: skip


def book_ticker(book: DepthBook, terms: Terms, now_ms: int) -> Json:
    """Return `bookTicker`."""
    (bid, bid_lots), (ask, ask_lots) = book.best()
    return {
        "e": "bookTicker", "u": book.last_id, "E": now_ms, "T": now_ms, "s": terms.symbol,
        "ps": terms.symbol, "b": price(bid * terms.tick_usdt),
        "B": qty(bid_lots * terms.lot_ltc), "a": price(ask * terms.tick_usdt),
        "A": qty(ask_lots * terms.lot_ltc), "st": 1,
    }  # fmt: skip


def agg_trade(trade: Traded) -> Json:
    """Return `aggTrade`."""
    row = agg_row(trade)
    return {
        "e": "aggTrade", "E": trade.at_ms, "s": trade.symbol, "a": row["a"], "p": row["p"],
        "q": row["q"], "nq": row["q"], "f": row["f"], "l": row["l"], "T": row["T"],
        "m": row["m"], "st": 1,
    }  # fmt: skip


def trade_event(trade: Traded) -> Json:
    """Return `trade`, which is on the route of books."""
    return {
        "e": "trade", "E": trade.at_ms, "T": trade.at_ms, "s": trade.symbol, "t": trade.trade_id,
        "p": price(trade.price_usdt), "q": qty(trade.qty_ltc), "X": "MARKET",
        "m": not trade.taker_buys, "st": 1,
    }  # fmt: skip


def mark_price(marked: Marked, symbol: str) -> Json:
    """Return `markPriceUpdate`."""
    mark = plain(marked.mark_usdt, 8)
    return {
        "e": "markPriceUpdate", "E": marked.at_ms, "s": symbol, "p": mark,
        "i": plain(marked.index_usdt, 8), "P": plain(marked.index_usdt, 8),
        "r": plain(marked.rate, 8), "ap": mark, "T": marked.next_funding_ms, "st": 1,
    }  # fmt: skip


def force_order(closed: Closed, symbol: str) -> Json:
    """Return `forceOrder`: `S` is the side of the closing order."""
    size, at = qty(closed.qty_ltc), price(closed.price_usdt)
    return {
        "e": "forceOrder", "E": closed.at_ms,
        "o": {
            "s": symbol, "S": "SELL" if closed.long else "BUY", "o": "LIMIT", "f": "IOC",
            "q": size, "p": at, "ap": at, "X": "FILLED", "l": size, "z": size, "T": closed.at_ms,
        },
        "ps": symbol, "st": 1,
    }  # fmt: skip


def kline_event(candle: Candle, symbol: str, now_ms: int, *, closed: bool) -> Json:
    """Return `kline` of one minute."""
    row = kline(candle)
    return {
        "e": "kline", "E": now_ms, "s": symbol,
        "k": {
            "t": row[0], "T": row[6], "s": symbol, "i": "1m", "f": candle.first_id,
            "L": candle.last_id, "o": row[1], "c": row[4], "h": row[2], "l": row[3],
            "v": row[5], "n": row[8], "x": closed, "q": row[7], "V": row[9], "Q": row[10],
            "B": "0",
        },
    }  # fmt: skip
