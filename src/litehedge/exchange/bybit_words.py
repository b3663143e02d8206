"""The fake venue in Bybit v5's words (linear): pure. Shapes: bybit-exchange.github.io/docs/v5."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from litehedge.exchange.book import DepthBook, Levels
from litehedge.exchange.happenings import Closed, LegNow, Traded
from litehedge.exchange.tape import Candle
from litehedge.exchange.terms import Algo, Fill, Held, Refused, Terms, Why
from litehedge.exchange.venue import Venue

Json = dict[str, Any]

ERRORS: Final[dict[Why, tuple[int, str]]] = {
    "symbol": (10001, "Symbol Is Invalid"),
    "side": (10001, "position idx not match position mode"),
    "reduce only": (110017, "Reduce-only rule not satisfied"),
    "precision": (10001, "Qty invalid"),
    "tick": (10001, "Price invalid"),
    "lot": (10001, "Qty invalid"),
    "quantity": (10001, "Qty invalid"),
    "above maximum": (10001, "The number of contracts exceeds maximum limit allowed: too large"),
    "notional": (110094, "Order does not meet minimum order value {}USDT"),
    "too high": (110003, "Order price exceeds the allowable range."),
    "too low": (110003, "Order price exceeds the allowable range."),
    "client id": (10001, "OrderLinkId invalid"),
    "duplicate": (110072, "OrderLinkedID is duplicate"),
    "margin": (110007, "ab not enough for new order"),
    "tier": (110090, "Order placement failed as your position may exceed the max limit."),
    "unknown order": (110001, "order not exists or too late to cancel"),
    "no such order": (110001, "order not exists or too late to replace"),
    "no change": (110025, "Position mode is not modified"),
    "has position": (110024, "You have an existing position, so position mode cannot be switched"),
    "leverage": (110013, "cannot set leverage gt maxLeverage"),
    "type": (10001, "OrderType invalid"),
    "missing": (10001, "params error: {} is required"),
    "would trigger": (10001, "StopLoss would trigger at once"),
}  # fmt: skip
"""What is not here is answered with 10001; FOK and post-only orders end instead."""


class Error(Exception):
    """An answer that refuses: code and message, and the HTTP status where it is not 200."""

    def __init__(self, code: int, text: str, status: int = 200) -> None:
        self.code = code
        self.text = text
        self.status = status
        super().__init__(f"{code} {text}")


def refusal(refused: Refused) -> Error:
    """Return what Bybit says to a refusal."""
    code, text = ERRORS.get(refused.why, (10001, f"params error: {refused.why}"))
    return Error(code, text.format(refused.detail))


def price(usdt: Decimal | float) -> str:
    """Return a price on the grid."""
    return f"{usdt:.2f}"


def qty(ltc: Decimal) -> str:
    """Return a quantity on the grid."""
    return f"{ltc:.1f}"


def idx(side: str) -> int:
    """Return the `positionIdx` of a leg."""
    return {"both": 0, "long": 1, "short": 2}[side]


def instrument(terms: Terms, most_leverage: float) -> Json:
    """Return one row of `GET /v5/market/instruments-info`."""
    lot = str(terms.lot_ltc)
    return {
        "symbol": terms.symbol, "contractType": "LinearPerpetual", "status": "Trading",
        "baseCoin": "LTC", "quoteCoin": "USDT", "launchTime": "1610000000000",
        "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{most_leverage:.2f}",
                           "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.01", "maxPrice": "199999.98",
                        "tickSize": str(terms.tick_usdt)},
        "lotSizeFilter": {
            "maxOrderQty": qty(terms.max_qty_ltc), "minOrderQty": lot, "qtyStep": lot,
            "postOnlyMaxOrderQty": qty(terms.max_qty_ltc),
            "maxMktOrderQty": qty(terms.max_market_qty_ltc),
            "minNotionalValue": str(terms.min_notional_usdt),
        },
        "unifiedMarginTrade": True, "fundingInterval": terms.funding_interval_s // 60,
        "settleCoin": "USDT", "copyTrading": "both", "upperFundingRate": "0.01",
        "lowerFundingRate": "-0.01", "isPreListing": False, "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": str(terms.price_band),
                           "priceLimitRatioY": str(terms.price_band)},
    }  # fmt: skip


def risk_limits(venue: Venue) -> list[Json]:
    """Return the rows of `GET /v5/market/risk-limit`."""
    rows = venue.ledger.tiers.rows.tolist()
    caps = [row[0] for row in rows[1:]] + [venue.ledger.tiers.cap_usdt]
    return [
        {
            "id": number, "symbol": venue.terms.symbol, "riskLimitValue": f"{cap:.0f}",
            "maintenanceMargin": f"{rate:.6g}", "initialMargin": f"{1.0 / most:.6g}",
            "isLowestRisk": int(number == 1), "maxLeverage": f"{most:.2f}",
            "mmDeduction": f"{cum:.6g}" if cum else "",
        }
        for number, ((_, rate, cum, most), cap) in enumerate(zip(rows, caps, strict=True), 1)
    ]  # fmt: skip


def levels(side: Levels, terms: Terms, *, falling: bool, most: int) -> list[list[str]]:
    """Return levels from the touch outwards."""
    rows = sorted(side.items(), reverse=falling)[:most]
    return [[price(ticks * terms.tick_usdt), qty(lots * terms.lot_ltc)] for ticks, lots in rows]


def changed(side: Levels, terms: Terms) -> list[list[str]]:
    """Return levels that changed; size 0 removes one."""
    return [
        [price(ticks * terms.tick_usdt), qty(lots * terms.lot_ltc) if lots else "0"]
        for ticks, lots in side.items()
    ]


def orderbook(book: DepthBook, terms: Terms, most: int, number: int) -> Json:
    """Return a snapshot with update id `number`."""
    return {
        "s": terms.symbol, "b": levels(book.bids, terms, falling=True, most=most),
        "a": levels(book.asks, terms, falling=False, most=most), "u": number,
        "seq": book.last_id,
    }  # fmt: skip


def trade(traded: Traded) -> Json:
    """Return one row of the topic `publicTrade`."""
    return {
        "T": traded.at_ms, "s": traded.symbol, "S": "Buy" if traded.taker_buys else "Sell",
        "v": qty(traded.qty_ltc), "p": price(traded.price_usdt),
        "L": "PlusTick" if traded.taker_buys else "MinusTick",
        "i": f"00000000-0000-5000-8000-{traded.trade_id:012d}", "BT": False, "RPI": False,
        "seq": traded.trade_id,
    }  # fmt: skip


def liquidation(closed: Closed, symbol: str) -> Json:
    """Return one row of `allLiquidation`: `S` is the side of the *position*."""
    return {
        "T": closed.at_ms, "s": symbol, "S": "Buy" if closed.long else "Sell",
        "v": qty(closed.qty_ltc), "p": price(closed.price_usdt),
    }  # fmt: skip


def ticker(venue: Venue) -> Json:
    """Return `tickers`."""
    moment = venue.moment
    assert moment is not None
    (bid, bids), (ask, asks) = venue.matching.book.best()
    tick, lot = venue.terms.tick_usdt, venue.terms.lot_ltc
    last = price(venue.matching.last or Decimal(repr(moment.mark)))
    return {
        "symbol": venue.terms.symbol, "tickDirection": "PlusTick", "price24hPcnt": "0.000000",
        "lastPrice": last, "prevPrice24h": last, "highPrice24h": last, "lowPrice24h": last,
        "prevPrice1h": last, "markPrice": price(moment.mark), "indexPrice": price(moment.index),
        "openInterest": f"{moment.open_interest_ltc:.1f}",
        "openInterestValue": f"{moment.open_interest_ltc * moment.mark:.2f}",
        "turnover24h": "0", "volume24h": "0", "nextFundingTime": str(venue.next_funding_ms),
        "fundingRate": f"{moment.rate:.8f}", "bid1Price": price(bid * tick),
        "bid1Size": qty(bids * lot), "ask1Price": price(ask * tick),
        "ask1Size": qty(asks * lot), "fundingIntervalHour": "8",
    }  # fmt: skip


def kline(candle: Candle) -> list[str]:
    """Return one row of `GET /v5/market/kline`."""
    return [
        str(candle.open_ms), price(candle.open), price(candle.high), price(candle.low),
        price(candle.close), qty(candle.volume_ltc), f"{candle.volume_usdt:.4f}",
    ]  # fmt: skip


def kline_topic(candle: Candle, now_ms: int, *, closed: bool) -> Json:
    """Return one row of the topic `kline.1`."""
    start, open_, high, low, close, volume, turnover = kline(candle)
    return {
        "start": int(start), "end": int(start) + 59_999, "interval": "1", "open": open_,
        "close": close, "high": high, "low": low, "volume": volume, "turnover": turnover,
        "confirm": closed, "timestamp": now_ms,
    }  # fmt: skip


# --- orders and the account -----------------------------------------------------------------------

_STATUS: Final = {"new": "New", "part": "PartiallyFilled", "filled": "Filled"}
_REASON: Final = {
    "ioc": "EC_NoImmediateQtyToFill", "market": "EC_NoImmediateQtyToFill",
    "client": "EC_PerCancelRequest", "reduce only": "EC_Others",
}  # fmt: skip
_CANCEL: Final = {
    "client": "CancelByUser", "liquidation": "CancelAllBeforeLiq",
    "reduce only": "CancelByReduceOnly",
}  # fmt: skip
_CREATED: Final = {
    "limit": "CreateByUser", "market": "CreateByUser", "liquidation": "CreateByLiq",
    "adl": "CreateByAdl_PassThrough",
}  # fmt: skip


ALGO_IDS: Final = "00000000-0000-4000-9000-"


def _is_of_leg(order: Held) -> bool:
    """Tell whether an order came of the stop of a whole leg (`trading-stop`)."""
    return bool(order.algo_id) and order.closes_all


def _link(order: Held) -> str:
    """Return the client's id; an order that came of the stop of a leg has none."""
    return "" if _is_of_leg(order) else order.client_id


def _created(order: Held) -> str:
    return "CreateByStopLoss" if _is_of_leg(order) else _CREATED[order.kind]


def _stop_type(order: Held) -> str:
    if not order.algo_id:
        return ""
    return "StopLoss" if order.closes_all else "Stop"


def algo_id(number: int) -> str:
    """Return the id of a conditional order; the order that comes of it has the same."""
    return f"{ALGO_IDS}{number:012d}"


def order_id(order: Held) -> str:
    """Return an order's id as Bybit writes one."""
    if order.algo_id and not order.closes_all:
        return algo_id(order.algo_id)
    return f"00000000-0000-4000-8000-{order.order_id:012d}"


def conditional_row(algo: Algo) -> Json:
    """Return a conditional order before its trigger, for REST and the topic `order`."""
    status = {"NEW": "Untriggered", "CANCELED": "Deactivated"}.get(algo.status, "Triggered")
    return {
        "category": "linear", "orderId": algo_id(algo.algo_id), "orderLinkId": algo.client_id,
        "blockTradeId": "", "symbol": "LTCUSDT", "price": "0", "qty": qty(algo.qty_ltc),
        "side": "Buy" if algo.buys else "Sell", "isLeverage": "", "positionIdx": idx(algo.side),
        "orderStatus": status, "createType": "CreateByUser",
        "cancelType": "CancelByUser" if algo.status == "CANCELED" else "UNKNOWN",
        "rejectReason": "EC_NoError", "avgPrice": "", "leavesQty": qty(algo.qty_ltc),
        "leavesValue": "0", "cumExecQty": "0", "cumExecValue": "0", "cumExecFee": "0",
        "timeInForce": "IOC", "orderType": "Market", "stopOrderType": "Stop", "orderIv": "",
        "triggerPrice": price(algo.trigger_usdt), "takeProfit": "", "stopLoss": "", "tpslMode": "",
        "tpTriggerBy": "", "slTriggerBy": "", "triggerDirection": 1 if algo.rises else 2,
        "triggerBy": "MarkPrice" if algo.working == "MARK_PRICE" else "LastPrice",
        "lastPriceOnCreated": "", "reduceOnly": algo.reduce_only, "closeOnTrigger": False,
        "placeType": "", "smpType": "None", "smpGroup": 0, "smpOrderId": "", "closedPnl": "0",
        "createdTime": str(algo.created_ms), "updatedTime": str(algo.updated_ms),
        "feeCurrency": "",
    }  # fmt: skip


def order_row(order: Held) -> Json:
    """Return an order, for REST and the topic `order`."""
    status = _STATUS.get(order.status, "Cancelled")
    left = order.left_ltc if order.is_open else Decimal(0)
    average = order.average_usdt
    return {
        "category": "linear", "orderId": order_id(order), "orderLinkId": _link(order),
        "blockTradeId": "", "symbol": "LTCUSDT",
        "price": price(order.limit_usdt or Decimal(0)), "qty": qty(order.qty_ltc),
        "side": "Buy" if order.buys else "Sell", "isLeverage": "",
        "positionIdx": idx(order.side), "orderStatus": status,
        "createType": _created(order), "cancelType": _CANCEL.get(order.ended, "UNKNOWN"),
        "rejectReason": _REASON.get(order.ended, "EC_NoError"),
        "avgPrice": f"{average:.4f}" if average else "", "leavesQty": qty(left),
        "leavesValue": f"{left * (order.limit_usdt or Decimal(0)):.4f}",
        "cumExecQty": qty(order.filled_ltc), "cumExecValue": f"{order.notional_usdt:.4f}",
        "cumExecFee": f"{order.fee_usdt:.8f}",
        "timeInForce": "PostOnly" if order.tif == "GTX" else order.tif,
        "orderType": "Market" if order.limit_usdt is None else "Limit",
        "stopOrderType": _stop_type(order), "orderIv": "",
        "triggerPrice": "", "takeProfit": "",
        "stopLoss": "", "tpslMode": "", "tpTriggerBy": "", "slTriggerBy": "",
        "triggerDirection": 0, "triggerBy": "", "lastPriceOnCreated": "",
        "reduceOnly": order.reduce_only, "closeOnTrigger": order.closes_all,
        "placeType": "", "smpType": "None", "smpGroup": 0, "smpOrderId": "",
        "closedPnl": f"{sum((f.realised_usdt - f.fee_usdt for f in order.fills), Decimal(0)):.8f}",
        "createdTime": str(order.created_ms), "updatedTime": str(order.updated_ms),
        "feeCurrency": "",
    }  # fmt: skip


def execution(order: Held, fill: Fill, mark: float) -> Json:
    """Return a fill, for REST and the topic `execution`."""
    kind = {"liquidation": "BustTrade", "adl": "AdlTrade"}.get(order.kind, "Trade")
    worth = fill.qty_ltc * fill.price_usdt
    return {
        "category": "linear", "symbol": "LTCUSDT", "closedSize": qty(Decimal(0)),
        "execFee": f"{fill.fee_usdt:.8f}", "execId": f"exec-{fill.trade_id}",
        "execPrice": price(fill.price_usdt), "execQty": qty(fill.qty_ltc), "execType": kind,
        "execValue": f"{worth:.4f}", "feeRate": f"{fill.fee_usdt / worth:.6f}",
        "tradeIv": "", "markIv": "", "blockTradeId": "", "markPrice": price(mark),
        "indexPrice": "", "underlyingPrice": "", "leavesQty": qty(order.left_ltc),
        "orderId": order_id(order), "orderLinkId": _link(order),
        "orderPrice": price(order.limit_usdt or Decimal(0)), "orderQty": qty(order.qty_ltc),
        "orderType": "Market" if order.limit_usdt is None else "Limit",
        "stopOrderType": _stop_type(order),
        "side": "Buy" if order.buys else "Sell", "execTime": str(fill.at_ms),
        "isLeverage": "0", "isMaker": fill.is_maker, "seq": fill.trade_id,
        "execPnl": f"{fill.realised_usdt:.8f}", "createType": _created(order),
        "extraFees": "", "feeCurrency": "",
    }  # fmt: skip


def funding_row(at_ms: int, received: Decimal, venue: Venue) -> Json:
    """Return a settlement of funding as an execution: `execFee` positive was paid."""
    return {
        "category": "linear", "symbol": "LTCUSDT", "execType": "Funding",
        "execFee": f"{-received:.8f}", "execId": f"funding-{at_ms}", "execTime": str(at_ms),
        "execPrice": price(venue.mark), "execQty": "0", "execValue": "0", "feeRate": "0",
        "side": "", "orderId": "", "orderLinkId": "", "isMaker": False, "seq": at_ms,
    }  # fmt: skip


def position_row(leg: LegNow, venue: Venue) -> Json:
    """Return a leg, for REST and the topic `position`."""
    size = abs(leg.qty_ltc)
    liquidation_ = venue.ledger.liquidation_usdt(venue.mark) if size else None
    algos = (a for a in venue.open_algos() if a.side == leg.side and a.closes_all)
    stop = next(algos, None)
    return {
        "category": "linear", "positionIdx": idx(leg.side), "riskId": 1, "riskLimitValue": "0",
        "symbol": "LTCUSDT", "side": "" if not size else "Buy" if leg.qty_ltc > 0 else "Sell",
        "size": qty(size), "avgPrice": f"{leg.entry_usdt:.8f}" if size else "0",
        "entryPrice": f"{leg.entry_usdt:.8f}" if size else "0",
        "positionValue": f"{size * leg.entry_usdt:.8f}" if size else "",
        "tradeMode": int(leg.isolated), "autoAddMargin": 0, "positionStatus": "Normal",
        "leverage": str(venue.ledger.leverage), "markPrice": price(venue.mark),
        "liqPrice": price(liquidation_) if liquidation_ is not None else "", "bustPrice": "",
        "positionIM": f"{leg.initial_usdt:.8f}", "positionMM": f"{leg.maintenance_usdt:.8f}",
        "positionBalance": f"{leg.isolated_wallet_usdt:.8f}", "tpslMode": "Full",
        "takeProfit": "", "stopLoss": price(stop.trigger_usdt) if stop is not None else "",
        "trailingStop": "0", "unrealisedPnl": f"{leg.unrealised_usdt:.8f}",
        "curRealisedPnl": f"{leg.realised_usdt:.8f}",
        "cumRealisedPnl": f"{leg.realised_usdt:.8f}", "adlRankIndicator": 2 if size else 0,
        "createdTime": str(venue.matching.now_ms), "updatedTime": str(venue.matching.now_ms),
        "isReduceOnly": False, "mmrSysUpdatedTime": "", "leverageSysUpdatedTime": "",
        "seq": venue.matching.book.last_id, "sessionAvgPrice": "",
    }  # fmt: skip


def wallet(venue: Venue) -> Json:
    """Return the unified account, for REST and the topic `wallet`."""
    ledger, mark = venue.ledger, venue.mark
    legs = ledger.legs(mark)
    balance, profit = f"{ledger.wallet():.8f}", f"{ledger.unrealised(mark):.8f}"
    equity = f"{ledger.wallet() + ledger.unrealised(mark):.8f}"
    initial = f"{sum((leg.initial_usdt for leg in legs), Decimal(0)):.8f}"
    needed = f"{sum((leg.maintenance_usdt for leg in legs), Decimal(0)):.8f}"
    free = f"{max(0.0, ledger.available(mark)):.8f}"
    ratio = f"{min(ledger.ratio(mark), 1e6):.4f}"
    coin = {
        "coin": "USDT", "equity": equity, "usdValue": equity, "walletBalance": balance,
        "free": "", "locked": "0", "spotHedgingQty": "0", "borrowAmount": "0",
        "availableToBorrow": "", "availableToWithdraw": "", "accruedInterest": "0",
        "totalOrderIM": "0", "totalPositionIM": initial, "totalPositionMM": needed,
        "unrealisedPnl": profit, "cumRealisedPnl": "0", "bonus": "0",
        "collateralSwitch": True, "marginCollateral": True,
    }  # fmt: skip
    return {
        "accountType": "UNIFIED", "accountLTV": "0", "accountIMRate": "0",
        "accountMMRate": ratio, "totalEquity": equity, "totalWalletBalance": balance,
        "totalMarginBalance": equity, "totalAvailableBalance": free, "totalPerpUPL": profit,
        "totalInitialMargin": initial, "totalMaintenanceMargin": needed, "coin": [coin],
    }  # fmt: skip
